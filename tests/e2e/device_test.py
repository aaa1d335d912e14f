"""A model on another device: the loopback device, whose memory the host cannot touch and whose kernels are the references.
Every golden checkpoint gives its logits there, and a daemon on it serves."""
import json
import os
import subprocess

from harness import BIN, MODEL, SOURCE, Daemon

GOLDEN = SOURCE / "tests/data/golden"


def tern(*args, **env):
    return subprocess.run([str(BIN / "tern"), *map(str, args)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **env})


def eval_logits(model, *args):
    done = tern("eval", "logits", "--model", model, "--golden", model / "golden.safetensors", "--compute", "f32",
                "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_goldens():
    models = sorted(path.parent for path in GOLDEN.glob("*/golden.safetensors"))
    assert len(models) >= 16, models
    for model in models:
        result = eval_logits(model, "--device", "loopback")
        assert result["max_abs_diff"] <= 2e-4, (model.name, result)
        assert result["greedy_match"] == 1, (model.name, result)
        assert all(kernel.endswith(":loopback") for kernel in result["kernels"]), result["kernels"]


def test_daemon():
    generate = ("generate", "How many legs does a spider have?", "--temperature", "0", "--max-tokens", "12")
    with Daemon() as daemon:
        expected = daemon.tern(*generate)
    with Daemon("--device", "loopback") as daemon:
        answer = daemon.tern(*generate)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout == expected.stdout
        assert " threads, loopback on " in daemon.log(), daemon.log()
        # Another prompt with the same beginning reads blocks that the device keeps.
        assert daemon.tern(*generate).stdout == expected.stdout


def test_bench_kernels():
    for op, shape in (("rmsnorm", "2x64"), ("rope", "3x2x16")):
        done = tern("bench", "kernels", "--device", "loopback", "--op", op, "--shape", shape, "--repeat", "1", "--json")
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["rows"]
        assert rows and all(row["kernel"] == "loopback" and row["us"] > 0 for row in rows), rows


def test_unknown_devices():
    none = tern("eval", "logits", "--model", MODEL, "--golden", "x", "--device", "abacus")
    assert none.returncode != 0 and "libtern_abacus.so is not in" in none.stderr, none.stderr
    assert "TERN_PLUGINS" in none.stderr
    second = tern("score", "--model", MODEL, "--prompt", "a", "--device", "loopback:1")
    assert second.returncode != 0 and "there is one loopback device" in second.stderr, second.stderr
    name = tern("score", "--model", MODEL, "--prompt", "a", "--device", "../evil")
    assert name.returncode != 0 and "device: must be" in name.stderr, name.stderr


def main():
    test_goldens()
    test_daemon()
    test_bench_kernels()
    test_unknown_devices()


if __name__ == "__main__":
    main()
