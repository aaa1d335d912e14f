#!/usr/bin/env bash
# Sourced by the stages of test.sh --full: each script beside this one is a stage, and runs by itself too.
# shellcheck disable=SC2034  # names for who sources this
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The test programs of tests/CMakeLists.txt.
tests_without_grpc=(tests_base tests_kernels tests_scheduler tests_scheduler_allocation tests_engine
                    tests_engine_allocation tests_bench tests_server_http interleavings_property)
tests_with_grpc=(tests_server tests_cli)

stage() { printf '== %(%T)T %s\n' -1 "$*"; }

# build <preset> <target>...
build() {
  local preset=$1
  shift
  stage "$preset: build"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --target "$@"
}
