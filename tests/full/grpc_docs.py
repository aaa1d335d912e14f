#!/usr/bin/env python3
"""docs/grpc.md holds: its program runs and prints what the page says, and its calls name what there is. Run by conformance.sh."""
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import json_format
from harness import SOURCE, Daemon

PAGE = (SOURCE / "docs/grpc.md").read_text()


def the_program_prints_what_the_page_says():
    """In a folder that has nothing but `proto`, by the page's own commands; `python3` and pip's packages are there."""
    ((program, expected),) = re.findall(r"^```python\n(.*?)^```\n\n```\n(.*?)^```", PAGE, re.M | re.S)
    stubs = re.search(r"^```sh\n(.*?)^```", PAGE, re.M | re.S).group(1)
    (command,) = re.findall(r"`(\S* ?python3 answer\.py)`", PAGE)
    bin_folder = pathlib.Path(sys.executable).parent
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PATH": f"{bin_folder}:{os.environ['PATH']}"}
    with Daemon(listen="127.0.0.1:0") as daemon, tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "proto").symlink_to(SOURCE / "proto")
        pathlib.Path(folder, "answer.py").write_text(program)
        lines = [line for line in stubs.splitlines() if " pip install " not in line]
        done = subprocess.run(["bash", "-ec", "\n".join([*lines, f"{command} {daemon.address}"])], cwd=folder, env=env,
                              capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(expected.splitlines()), done.stdout
    for line, wanted in zip(printed, expected.splitlines()):
        assert line == wanted or wanted.endswith("…") and line.startswith(wanted[:-1]), (line, wanted)


def the_calls_name_what_there_is():
    calls = [line for line in PAGE.splitlines() if line.startswith("grpcurl")]
    promised = (SOURCE / "proto/tern/v1/contract.txt").read_text()
    checked = 0
    for call in calls:
        named = re.search(r"(tern\.v1)\.(\w+)/(\w+)$", call)
        if not named:
            continue
        package, service, method = named.groups()
        rpc = re.search(rf"^rpc {re.escape(package)}\.{service}\.{method}\((?:stream )?tern\.v1\.(\w+)\)", promised, re.M)
        assert rpc, call
        module = importlib.import_module(f"tern.v1.{service.lower()}_pb2")
        body = re.search(r"-d '(.*?)'", call)
        json_format.ParseDict(json.loads(body.group(1)) if body else {}, getattr(module, rpc.group(1))())
        checked += 1
    assert checked >= 6, calls


if __name__ == "__main__":
    for test in (the_calls_name_what_there_is, the_program_prints_what_the_page_says):
        test()
        print(f"{test.__name__}: ok")
