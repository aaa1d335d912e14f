#!/usr/bin/env bash
# Ten minutes of mixed load, and a daemon with a leak that the same check must find.
#   tests/full/soak.sh [MINUTES] [--trace AZURE.csv]
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

minutes=${1:-10}
stage "soak: $minutes minutes"
python3 tests/e2e/soak.py --bin build/release --minutes "$minutes" "${@:2}"
stage "soak: a seeded leak must be found"
cmake --build --preset release --target ternd_leaky
if python3 tests/e2e/soak.py --bin build/release --ternd ternd_leaky --minutes 1.5; then
  echo "soak: the leak was not found" >&2
  exit 1
fi
