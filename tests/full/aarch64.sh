#!/usr/bin/env bash
# 64-bit ARM: everything is cross-built; in qemu the tests run of what depends on the instruction set, and ternd
# gives the answer that this machine's gives (its build in build/release is there already).
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

stage "aarch64: sysroot"
tools/aarch64_sysroot.sh
build aarch64 all
export TERN_PROPERTY_SCENARIOS=1000
run() {
  stage "aarch64: $*"
  tools/aarch64_run.sh "build/aarch64/tests/$1" "${@:2}"
}
run tests_base '~populating*'  # qemu's madvise populates nothing
run tests_kernels
run tests_scheduler
run tests_engine '[determinism]'
stage "aarch64: ternd"
python3 tests/full/aarch64_answer.py
