#!/usr/bin/env bash
# The status page of a real ternd in a real browser (Debian's Chromium, driven by Playwright from PyPI): while it serves,
# when it is gone and comes back, on a phone, and with names that would be HTML.
#   tests/full/status_page.sh [FOLDER]   leaves screenshots in FOLDER
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=build/status-page-venv
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import playwright' 2>/dev/null || "$venv/bin/pip" install --quiet playwright

stage "status page"
TERN_BIN=build/release "$venv/bin/python" tests/full/status_page_check.py "$@"
