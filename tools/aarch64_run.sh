#!/usr/bin/env bash
# Runs a program of the aarch64 build in qemu, as a Cortex-A76: dot products of int8 and f16, no i8mm, no SVE.
#   tools/aarch64_run.sh PROGRAM [ARGUMENT]...
set -euo pipefail
exec qemu-aarch64-static -cpu cortex-a76 -L "$(dirname "${BASH_SOURCE[0]}")/../build/aarch64-sysroot" "$@"
