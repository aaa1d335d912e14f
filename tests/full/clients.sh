#!/usr/bin/env bash
# Load generators and client libraries from PyPI, each against a ternd on the bundled model, as their users run them:
# guidellm, vllm bench serve, openai, litellm, langchain-openai and llm. Every request must end well. vLLM brings
# 10 GB of PyTorch and CUDA along: it is left out, and that is said, where there are less than 20 GB for it.
#   tests/full/clients.sh
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

# install <name> <program> <package>...: an environment of its own, build/<name>-venv.
install() {
  local venv=build/$1-venv program=$2
  shift 2
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
  [ -e "$venv/bin/$program" ] || "$venv/bin/pip" install --quiet "$@"
}

stage "clients: install"
install guidellm guidellm 'guidellm>=0.8'
install clients llm 'openai>=2' litellm langchain-openai llm
arguments=(--guidellm build/guidellm-venv/bin/guidellm --clients build/clients-venv/bin)
if [ -e build/vllm-venv/bin/vllm ] || [ "$(df --output=avail -BG build | tail -n 1 | tr -dc 0-9)" -ge 20 ]; then
  install vllm vllm vllm
  arguments+=(--vllm build/vllm-venv/bin/vllm)
else
  stage "clients: no room for vllm bench serve, left out"
fi

stage "clients"
TERN_BIN=build/release python3 tests/full/clients.py "${arguments[@]}"
