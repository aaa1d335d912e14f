#!/usr/bin/env bash
# Builds the image with buildah (rootless engines and daemons are not needed, root is) and runs it as its user on a
# read-only root: tests/full/image_check.py says what must hold. Where buildah is missing the stage is skipped.
#   tests/full/image.sh [--base ROOT.tar] [--image NAME]
#     --base    a root file system to take for debian:bookworm-slim, where no registry is reached; without it
#               mmdebstrap makes one then
#     --image   an image that has been built already, in $TERN_IMAGE_STORE, is checked instead
# TERN_IMAGE_STORE keeps layers between runs (gigabytes); without it they are removed in the end.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

base='' image=''
while [ $# -gt 0 ]; do
  case "$1" in
    --base) base=${2:?}; shift 2 ;;
    --image) image=${2:?}; shift 2 ;;
    *) echo "image.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
if ! command -v buildah >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "image: skipped, it needs buildah (apt-get install buildah) and root"
  exit 0
fi

work=$(mktemp -d)
store=${TERN_IMAGE_STORE:-$work}
b() { buildah --root "$store/store" --runroot "$store/run" --storage-driver vfs "$@"; }
cleanup() {
  [ -z "${container:-}" ] || b rm "$container" >/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

debian=docker.io/library/debian:bookworm-slim
make_base() {
  stage "image: base"
  if [ -z "$base" ] && b pull -q "$debian" >/dev/null 2>&1; then return; fi
  if [ -z "$base" ]; then
    command -v mmdebstrap >/dev/null || { echo "image: no registry, no --base and no mmdebstrap" >&2; exit 1; }
    base=$work/base.tar
    mmdebstrap --quiet --variant=minbase bookworm "$base"
  fi
  local c
  c=$(b from scratch)
  b add -q "$c" "$base" / >/dev/null
  b config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$c"
  b commit -q "$c" "$debian" >/dev/null
  b rm "$c" >/dev/null
}

if [ -z "$image" ]; then
  b inspect --type image "$debian" >/dev/null 2>&1 || make_base
  stage "image: build"
  image=tern:check
  # The driver copies whole layers: only a store that stays gets the intermediate ones.
  layers=()
  [ -z "${TERN_IMAGE_STORE:-}" ] || layers=(--layers)
  b bud "${layers[@]}" --format docker --isolation chroot --pull-never -t "$image" .
fi

stage "image: run"
b images "$image"
b inspect --type image "$image" >"$work/image.json"
container=$(b from --pull-never "$image")
root=$(b mount "$container")
# A network of its own: the image's ports are fixed.
unshare --net --mount python3 tests/full/image_check.py --root "$root" --inspect "$work/image.json"
