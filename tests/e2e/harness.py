"""Starts real ternd processes and talks to them through the real tern command."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TERN_BIN", SOURCE / "build/release"))
MODEL = SOURCE / "models/tern-stories"


class Daemon:
    """ternd on the bundled model and a socket of its own. `with Daemon() as d: d.tern("status")`."""

    def __init__(self, *args, model=MODEL, listen=None, http=None, config=None, program=(BIN / "ternd",), env=None, stderr=None):
        self.dir = tempfile.mkdtemp()
        self.address = listen or f"unix:{self.dir}/ternd.sock"
        self.log_path = f"{self.dir}/ternd.log"
        command = [*map(str, program), "--listen", self.address]
        # An address like "127.0.0.1:0"; as bound once it is ready. Never the default's port, which others may use.
        self.http = http
        if http:
            command += ["--http", http]
        elif "http:" not in (config or ""):
            command += ["--http", "off"]
        if model:
            command += ["--model", str(model)]
        if config is not None:
            path = f"{self.dir}/ternd.yaml"
            pathlib.Path(path).write_text(config)
            command += ["--config", path]
        self.process = subprocess.Popen(command + list(args), stderr=stderr or open(self.log_path, "w"),
                                        stdout=subprocess.DEVNULL, env=env)

    def log(self):
        return pathlib.Path(self.log_path).read_text()

    def wait_ready(self, seconds=60):
        deadline = time.time() + seconds
        while time.time() < deadline:
            ready = re.search(r"ternd ready: listening on ([^\s,]+)", self.log())
            if ready:
                self.address = ready.group(1)
                http = re.search(r"HTTP on ([^\s,]+)", self.log())
                self.http = http and http.group(1)
                return self
            if self.process.poll() is not None:
                raise AssertionError(f"ternd ended with {self.process.returncode}:\n{self.log()}")
            time.sleep(0.02)
        raise AssertionError(f"ternd not ready in {seconds} s:\n{self.log()}")

    def __enter__(self):
        return self.wait_ready()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir)

    def command(self, *args):
        return [str(BIN / "tern"), *args, "--server", self.address]

    def tern(self, *args, **kwargs):
        return subprocess.run(self.command(*args), capture_output=True, text=True, timeout=120, **kwargs)

    def json(self, *args):
        done = self.tern(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def used_blocks(self):
        return find_key(self.json("status"), "num_used_blocks")

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))

    def wait_idle(self, seconds=20):
        """The KV blocks of ended requests return at the next step boundary."""
        deadline = time.time() + seconds
        while self.used_blocks() != 0:
            assert time.time() < deadline, f"{self.used_blocks()} KV blocks still in use"
            time.sleep(0.05)


def find_key(document, key):
    """The value of `key`, at whatever depth (64-bit numbers come as strings in protobuf's JSON)."""
    if isinstance(document, dict):
        if key in document:
            return int(document[key])
        found = [find_key(v, key) for v in document.values()]
        return next((f for f in found if f is not None), None)
    return None
