#!/usr/bin/env bash
# OpenAI's Python client (from PyPI, in an environment of its own) against the HTTP API. With SmolLM2, where
# quickstart.sh --model smollm2 has fetched it, or with --model, a real model has to call a tool.
#   tests/full/openai.sh [--model M] [--chat-template F]
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=build/openai-venv
if [ ! -x "$venv/bin/pip" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import openai' 2>/dev/null || "$venv/bin/pip" install --quiet 'openai>=1'
smollm2=${XDG_CACHE_HOME:-$HOME/.cache}/tern/smollm2-135m-instruct.gguf
arguments=("$@")
if [ $# -eq 0 ] && [ -f "$smollm2" ]; then arguments=(--model "$smollm2"); fi

stage "openai"
TERN_BIN=build/release "$venv/bin/python" tests/full/openai_client.py "${arguments[@]}"
