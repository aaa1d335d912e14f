#!/usr/bin/env bash
# Installs what tern needs, builds it, starts ternd on the bundled model and streams an answer over gRPC.
#   ./quickstart.sh [PROMPT]     the demo: one answer, then the daemon stops
#   ./quickstart.sh --serve      keeps the daemon running on 127.0.0.1:50051 until Ctrl-C
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

serve=false
prompt="Tell me a story about a fox."
while [ $# -gt 0 ]; do
  case "$1" in
    --serve) serve=true ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "quickstart.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) prompt=$1 ;;
  esac
  shift
done

tools/install_deps.sh
cmake --preset release >/dev/null
cmake --build --preset release --target tern ternd
bin=build/release

if $serve; then
  exec "$bin/ternd" --config configs/demo.yaml
fi

# A socket of its own: the demo works beside another daemon.
socket_dir=$(mktemp -d)
log="$socket_dir/ternd.log"
"$bin/ternd" --config configs/demo.yaml --listen "unix:$socket_dir/ternd.sock" 2>"$log" &
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
echo "> $prompt"
"$bin/tern" generate --server "unix:$socket_dir/ternd.sock" --prompt "$prompt"
