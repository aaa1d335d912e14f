#!/usr/bin/env bash
# The release build's kernels under Valgrind's memcheck, which shows them no AVX-512: no read of what nobody
# wrote, in the AVX2 and the scalar kernels as they are shipped.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

stage "memcheck: tests_kernels"
valgrind --quiet --error-exitcode=9 build/release/tests/tests_kernels
