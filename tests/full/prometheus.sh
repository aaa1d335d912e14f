#!/usr/bin/env bash
# Prometheus' Python client (from PyPI, in an environment of its own) reads the metrics of a real ternd; promtool checks
# the alerts of deploy/prometheus and runs their unit tests.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=build/prometheus-venv
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import prometheus_client' 2>/dev/null || "$venv/bin/pip" install --quiet prometheus_client

stage "prometheus: alerts"
# Debian's package would start a Prometheus on this machine: only promtool is taken out of it.
if ! command -v promtool >/dev/null; then
  unpacked=build/prometheus
  if [ ! -x $unpacked/usr/bin/promtool ]; then
    rm -rf $unpacked && mkdir -p $unpacked
    (cd $unpacked && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .)
  fi
  PATH=$PWD/$unpacked/usr/bin:$PATH
fi
promtool check rules deploy/prometheus/alerts.yaml
promtool test rules tests/full/alerts_test.yaml

stage "prometheus: metrics"
TERN_BIN=build/release "$venv/bin/python" tests/full/prometheus_client_check.py
