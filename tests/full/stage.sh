#!/usr/bin/env bash
# Sourced by the stages of test.sh --full: each script beside this one is a stage, and runs by itself too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stage() { printf '== %(%T)T %s\n' -1 "$*"; }

# build <preset> <target>...
build() {
  local preset=$1
  shift
  stage "$preset: build"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --target "$@"
}
