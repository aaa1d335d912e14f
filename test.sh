#!/usr/bin/env bash
# Installs what tern needs, builds everything and runs the tests; ends with ctest's summary.
#   ./test.sh          unit, property, parity, wire and end-to-end tests
#   ./test.sh --full   besides, each a script in tests/full: the unit tests under AddressSanitizer/UBSan and
#                      ThreadSanitizer with faults that these must find, built by clang, under Valgrind, and
#                      for 64-bit ARM in qemu; independent clients against the wire's contract, the load generators and
#                      libraries that people use, and an evaluation harness against PyTorch; the status page in a
#                      browser; the container image, where buildah is; the Debian package in a bare Debian; and ten
#                      minutes of mixed load. Takes hours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

full=false
case "${1:-}" in
  "") ;;
  --full) full=true ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "test.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
esac

if $full; then tools/install_deps.sh --full; else tools/install_deps.sh; fi
cmake --preset release
cmake --build --preset release
if $full; then
  for stage in sanitizers clang memcheck aarch64 conformance openai clients lm_eval prometheus status_page image deb soak; do
    echo "== stage $stage"
    "tests/full/$stage.sh"
  done
  echo "== stage release"
fi
ctest --test-dir build/release --output-on-failure -j "$(nproc)"
