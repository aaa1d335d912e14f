"""Bad files, flags and requests: each gets an error that names the thing, and ends nothing else."""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from harness import BIN, MODEL, Daemon


def expect(done, code, *words):
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exit {done.returncode}, wanted {code}: {text}"
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"


def ternd(*args):
    return subprocess.run([str(BIN / "ternd"), *map(str, args)], capture_output=True, text=True, timeout=60)


def broken_models(root):
    """(name, change to the copied model directory, words that the error must hold)."""

    def truncate(d):
        f = d / "model.safetensors"
        f.write_bytes(f.read_bytes()[:-1000])

    def overlap(d):
        f = d / "model.safetensors"
        data = f.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        names = sorted(k for k in header if k != "__metadata__")
        header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
        text = json.dumps(header).encode()
        f.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])

    def no_key(d):
        f = d / "config.json"
        config = json.loads(f.read_text())
        del config["hidden_size"]
        f.write_text(json.dumps(config))

    def no_tensor(d):
        f = d / "config.json"
        config = json.loads(f.read_text())
        config["num_hidden_layers"] = 7
        f.write_text(json.dumps(config))

    yield "truncated", truncate, ["model.safetensors"]
    yield "overlapping", overlap, ["model.safetensors", "offset"]
    yield "missing key", no_key, ["config.json", "hidden_size"]
    yield "missing tensor", no_tensor, ["model.layers.6."]
    yield "missing config", lambda d: (d / "config.json").unlink(), ["config.json"]


def test_models():
    with tempfile.TemporaryDirectory() as root:
        for name, change, words in broken_models(root):
            directory = pathlib.Path(root) / name.replace(" ", "-")
            shutil.copytree(MODEL, directory)
            change(directory)
            expect(ternd("--model", directory, "--listen", f"unix:{root}/x.sock", "--http", "off"), 1, *words)
        expect(ternd("--model", f"{root}/nowhere", "--listen", f"unix:{root}/x.sock", "--http", "off"), 1, "nowhere")


def test_configs():
    with tempfile.TemporaryDirectory() as root:
        path = pathlib.Path(root) / "bad.yaml"
        path.write_text("scheduler:\n  max_num_seqz: 4\n")
        expect(ternd("--config", path, "--check"), 1, "bad.yaml:2", "max_num_seqz")
        path.write_text("scheduler:\n  max_num_seqs: many\n")
        expect(ternd("--config", path, "--check"), 1, "bad.yaml:2", "max_num_seqs")
        path.write_text("scheduler:\n  max_num_seqs: -4\n")
        expect(ternd("--config", path, "--check"), 1, "bad.yaml:2", "max_num_seqs", "-4")
        path.write_text("scheduler: [\n")
        expect(ternd("--config", path, "--check"), 1, "bad.yaml")
        expect(ternd("--config", f"{root}/none.yaml", "--check"), 1, "none.yaml")
        path.write_text("scheduler:\n  max_num_seqs: -4\nlog:\n  level: loud\n")
        expect(ternd("--config", path, "--check"), 1, "bad.yaml:2", "bad.yaml:4")
    expect(ternd("--no-such-flag"), 2, "no-such-flag")
    expect(subprocess.run([str(BIN / "tern"), "frobnicate"], capture_output=True, text=True), 2, "frobnicate")
    expect(subprocess.run([str(BIN / "tern"), "status", "--server", "127.0.0.1:1"], capture_output=True, text=True,
                          timeout=30), 3, "127.0.0.1:1")


def test_check():
    """It opens what a start would open, names everything that is wrong, and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as root, Daemon(listen="127.0.0.1:0") as daemon:
        good = ["--listen", "127.0.0.1:0", "--set", f"admin.listen=unix:{root}/admin.sock"]
        done = ternd("--model", MODEL, *good, "--check")
        assert done.returncode == 0 and done.stdout.startswith("configuration ok\nmodel tern-stories: "), done
        template = pathlib.Path(root) / "t.jinja"
        template.write_text("{% for %}")
        # A template that cannot be compiled costs chat alone, here as at a start.
        expect(ternd("--model", MODEL, *good, "--chat-template", template, "--check"), 0, "configuration ok",
               "warning chat requests will be refused: ", str(template))
        expect(ternd("--model", f"{root}/nowhere", "--listen", daemon.address, "--chat-template", f"{root}/none.jinja",
                     "--set", f"admin.listen=unix:{root}/none/admin.sock", "--check"), 1,
               f"model.path: no model at {root}/nowhere", f"model.chat_template: {root}/none.jinja",
               f"server.listen: cannot listen on {daemon.address}", f"admin.listen: cannot listen on unix:{root}/none")
        expect(ternd("--model", "tern-storys", *good, "--check"), 1, "model.path", "TERN_MODELS", "tern-stories")
        expect(ternd("--model", "org/model", *good, "--check"), 1, "model.path", "hf download org/model")
        expect(ternd("--model", "https://x/y", *good, "--check"), 1, "model.path", "local files")
        expect(ternd("--model", MODEL, *good, "--set", "engine.kv_cache_bytes=60TiB", "--check"), 1,
               "engine.kv_cache_bytes: ", "kv_cache_bytes of")
        bad = pathlib.Path(root) / "together.yaml"
        bad.write_text("model: {path: tern-stories}\nscheduler:\n  reserved_seqs_system: 500\n")
        for check in ("--check", "--check-config"):
            expect(ternd("--config", bad, *good, check), 1, "together.yaml:3: policy.reserved_seqs_system: ")
        bad.unlink()
        armed = subprocess.run([str(BIN / "ternd"), "--model", MODEL, *good, "--http", "off", "--check"], text=True,
                               capture_output=True, env={**os.environ, "TERN_FAIL_POINTS": "foo"})
        assert armed.returncode == 1 and "TERN_FAIL_POINTS: " in armed.stderr, armed
        bare = shutil.copytree(MODEL, f"{root}/bare")
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (pathlib.Path(bare) / file).unlink(missing_ok=True)
        expect(ternd("--model", bare, *good, "--check"), 0, f"warning {bare}: there is no tokenizer", "model bare: ")
        here = subprocess.run([str(BIN / "ternd"), "--model", ".", *good, "--http", "off", "--check"], text=True,
                              capture_output=True, cwd=MODEL)
        assert here.returncode == 0 and "model tern-stories: " in here.stdout, here
        shutil.rmtree(bare)
        named = shutil.copytree(MODEL, f"{root}/named")
        own = json.loads((MODEL / "tokenizer_config.json").read_text())["chat_template"]
        (pathlib.Path(named) / "chat_template.jinja").write_text(own)
        (pathlib.Path(named) / "additional_chat_templates").mkdir()
        (pathlib.Path(named) / "additional_chat_templates/tool_use.jinja").write_text("{% for %}")
        expect(ternd("--model", named, *good, "--check"), 0, "warning chat requests with tools will be refused: ")
        shutil.rmtree(named)
        beside = ternd("--model", MODEL, "--listen", daemon.address, "--check-config")
        assert beside.returncode == 0, beside
        assert list(pathlib.Path(root).iterdir()) == [template]
        expect(daemon.tern("status"), 0)


def test_requests():
    with Daemon() as daemon:
        good = ["generate", "--prompt", "How many legs does a spider have?", "--temperature", "0"]
        before = daemon.tern(*good)
        expect(before, 0)
        expect(daemon.tern("generate", "--prompt", "x " * 2000), 1, "context")
        expect(daemon.tern("generate", "--prompt", "hello", "--max-tokens", "100000"), 1, "100000")
        negative = daemon.tern("generate", "--prompt", "hello", "--max-tokens", "-5")
        assert negative.returncode in (1, 2) and "max" in negative.stderr and "-5" in negative.stderr, negative.stderr
        expect(daemon.tern("generate", "--prompt", "hello", "--temperature", "9"), 1, "temperature", "9")
        latin1 = subprocess.run(daemon.command("generate", "--prompt", b"caf\xe9"), capture_output=True)
        assert latin1.returncode in (1, 2) and b"UTF-8" in latin1.stderr, latin1.stderr
        after = daemon.tern(*good)
        expect(after, 0)
        assert after.stdout == before.stdout
        daemon.wait_idle()


def test_port_in_use():
    with Daemon(listen="127.0.0.1:0") as first:
        expect(ternd("--model", MODEL, "--listen", first.address, "--http", "off"), 1, first.address)
        expect(first.tern("status"), 0)


def test_socket_that_cannot_be():
    address = "unix:/nowhere/ternd.sock"
    for listen, extra in ((address, ()), ("127.0.0.1:0", ("--http", address)),
                          ("127.0.0.1:0", ("--http", "off", "--set", f"admin.listen={address}"))):
        expect(ternd("--model", MODEL, "--listen", listen, *extra), 1, f"{address}: /nowhere: No such file or directory")


def test_sigterm_drains():
    with Daemon() as daemon:
        client = subprocess.Popen(daemon.command("generate", "--prompt", "Tell me a story about a fox.", "--max-tokens",
                                                 "800", "--ignore-eos", "--json"), stdout=subprocess.PIPE, text=True)
        while not daemon.used_blocks():
            time.sleep(0.01)
        daemon.process.send_signal(signal.SIGTERM)
        out, _ = client.communicate(timeout=60)
        answer = json.loads(out)
        assert client.returncode == 0
        assert answer["usage"]["completion_tokens"] == 800, answer["usage"]
        assert daemon.process.wait(30) == 0, daemon.log()


def main():
    for test in (test_models, test_configs, test_check, test_requests, test_port_in_use, test_socket_that_cannot_be, test_sigterm_drains):
        test()
        print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
