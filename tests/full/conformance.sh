#!/usr/bin/env bash
# An independent client (grpcio and googleapis-common-protos from PyPI, in an environment of its own) checks the
# contract: every row of docs/errors.md over gRPC with its details decoded, and the HTTP twin of each; reflection;
# and docs/grpc.md.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

venv=build/grpc-venv
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import grpc_status, grpc_tools, grpc_reflection' 2>/dev/null ||
  "$venv/bin/pip" install --quiet grpcio grpcio-tools grpcio-status grpcio-reflection
stubs=build/grpc-stubs
mkdir -p "$stubs"
"$venv/bin/python" -m grpc_tools.protoc -Iproto "--python_out=$stubs" "--grpc_python_out=$stubs" proto/tern/v1/*.proto

stage "conformance"
TERN_BIN=${TERN_BIN:-build/release} PYTHONPATH="$stubs:tests/e2e" "$venv/bin/python" tests/full/conformance.py "$@"
TERN_BIN=${TERN_BIN:-build/release} PYTHONPATH="$stubs:tests/e2e" "$venv/bin/python" tests/full/grpc_docs.py
