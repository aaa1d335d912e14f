#!/usr/bin/env bash
# lm-evaluation-harness (from PyPI, in an environment of its own: PyTorch is 5 GB) measures the bundled model
# twice: by transformers, and by ternd's /v1/completions. Both must see the same model.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=${LM_EVAL_VENV:-build/lm-eval-venv}
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import accelerate, lm_eval, tenacity, torch, transformers' 2>/dev/null ||
  "$venv/bin/pip" install --quiet 'lm-eval[api,hf]==0.4.13'

stage "lm_eval"
TERN_BIN=build/release "$venv/bin/python" tests/full/lm_eval_check.py
