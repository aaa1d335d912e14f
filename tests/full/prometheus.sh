#!/usr/bin/env bash
# Prometheus' Python client (from PyPI, in an environment of its own) reads the metrics of a real ternd.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=build/prometheus-venv
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import prometheus_client' 2>/dev/null || "$venv/bin/pip" install --quiet prometheus_client

stage "prometheus"
TERN_BIN=build/release "$venv/bin/python" tests/full/prometheus_client_check.py
