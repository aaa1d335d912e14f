#!/usr/bin/env bash
# 64-bit ARM: everything is cross-built; in qemu the unit tests run, and ternd gives the answer that this
# machine's gives (its build in build/release is there already).
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

stage "aarch64: sysroot"
tools/aarch64_sysroot.sh
build aarch64 all
export TERN_PROPERTY_SCENARIOS=1000
for test in "${tests_without_grpc[@]}" "${tests_with_grpc[@]}"; do
  stage "aarch64: $test"
  tools/aarch64_run.sh "build/aarch64/tests/$test"
done
stage "aarch64: ternd"
python3 tests/full/aarch64_answer.py
