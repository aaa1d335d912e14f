#!/usr/bin/env bash
# The unit tests under AddressSanitizer and UndefinedBehaviorSanitizer, and, those that do not link gRPC (which
# is not instrumented), under ThreadSanitizer; then faults that the sanitizers must report.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

export LSAN_OPTIONS=suppressions=$PWD/tests/sanitizers/lsan.supp UBSAN_OPTIONS=print_stacktrace=1
export TERN_PROPERTY_SCENARIOS=10000  # the release build runs all of them

for preset in asan tsan; do
  tests=("${tests_without_grpc[@]}")
  [ "$preset" = asan ] && tests+=("${tests_with_grpc[@]}")
  build "$preset" "${tests[@]}" sanitizer_faults
  for test in "${tests[@]}"; do
    stage "$preset: $test"
    "build/$preset/tests/$test"
  done
  stage "$preset: seeded faults"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -R '^sanitizer fault: '
done
