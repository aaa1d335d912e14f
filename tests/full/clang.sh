#!/usr/bin/env bash
# The second compiler: everything builds without a warning, and the unit tests pass.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

build clang all
export TERN_PROPERTY_SCENARIOS=10000  # the release build runs all of them
for test in "${tests_without_grpc[@]}" "${tests_with_grpc[@]}"; do
  stage "clang: $test"
  "build/clang/tests/$test"
done
