#!/usr/bin/env python3
"""ternd for 64-bit ARM, in qemu, gives the greedy answers that this machine's ternd gives, over gRPC."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/e2e"))
from harness import BIN, Daemon  # noqa: E402

HERE = (BIN / "ternd",)
AARCH64 = (ROOT / "tools/aarch64_run.sh", ROOT / "build/aarch64/ternd")
PROMPTS = ("Tell me a story about a fox.", "How many legs does a spider have?")


def answers(program):
    with Daemon(program=program) as daemon:
        return [daemon.json("generate", "--temperature", "0", "--max-tokens", "64", "--prompt", prompt)
                for prompt in PROMPTS]


if __name__ == "__main__":
    for prompt, expected, got in zip(PROMPTS, answers(HERE), answers(AARCH64)):
        print(f"> {prompt}\n{got['text']}")
        assert got["token_ids"] == expected["token_ids"], f"differs from this machine's:\n{expected['text']}"
        assert got["token_ids"], "an empty answer"
