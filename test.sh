#!/usr/bin/env bash
# Installs what tern needs, builds everything and runs the tests; ends with ctest's summary.
#   ./test.sh          unit, property, parity, wire and end-to-end tests
#   ./test.sh --full   besides: the same under AddressSanitizer/UBSan, ThreadSanitizer (binaries without
#                      gRPC), and the load and memory test of 5 minutes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

full=false
case "${1:-}" in
  "") ;;
  --full) full=true ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
esac

tools/install_deps.sh
if $full; then
  for preset in asan tsan; do
    cmake --preset "$preset"
    targets=(tests_base tests_kernels tests_scheduler tests_engine)
    [ "$preset" = asan ] && targets+=(tests_server)
    cmake --build --preset "$preset" --target "${targets[@]}"
    for target in "${targets[@]}"; do
      echo "== $preset: $target"
      LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp "build/$preset/tests/$target"
    done
  done
fi
cmake --preset release
cmake --build --preset release
if $full; then
  python3 tests/e2e/soak.py --bin build/release --minutes 5
fi
ctest --test-dir build/release --output-on-failure -j "$(nproc)"
