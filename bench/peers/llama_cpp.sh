#!/usr/bin/env bash
# Measures tern beside llama.cpp on the same weights. --help says how.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${TERN_PEERS_DIR:-$here/../../build/peers}
python=$work/venv/bin/python
if ! "$python" -c 'import gguf, numpy' 2> /dev/null; then
  mkdir -p "$work"
  python3 -m venv "$work/venv" || {
    echo "llama_cpp.sh: cannot make a virtual environment: install python3-venv" >&2
    exit 1
  }
  "$work/venv/bin/pip" --quiet install gguf numpy
fi
exec "$python" "$here/compare.py" --work "$work" "$@"
