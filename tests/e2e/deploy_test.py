#!/usr/bin/env python3
"""What service managers rely on: the notices to systemd, and that the files of deploy/ fit the daemon."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import textwrap
import time

from harness import BIN, SOURCE, Daemon

SIMULATED = "engine: {simulate: true}\n"
FORCED_END_SECONDS = 12  # ternd.cpp: kStopLimit + kCloseGrace, after the drain


class NotifySocket:
    """What systemd listens on. `next()` is one notice as a dict."""

    def __init__(self, abstract=False):
        self.dir = tempfile.TemporaryDirectory()
        self.name = f"@tern-test-{os.getpid()}" if abstract else f"{self.dir.name}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)
        self.socket.settimeout(30)

    def environment(self):
        return {**os.environ, "NOTIFY_SOCKET": self.name}

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.dir.cleanup()


def systemd_hears_of_start_reload_and_stop():
    for abstract in (False, True):
        with NotifySocket(abstract) as manager, Daemon(model=None, config=SIMULATED, env=manager.environment()) as daemon:
            assert manager.next() == {"READY": "1"}
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            daemon.process.send_signal(signal.SIGHUP)
            reloading = manager.next()
            assert reloading.pop("RELOADING") == "1"
            # Type=notify-reload takes a notice that is older than its signal for another's.
            at = int(reloading.pop("MONOTONIC_USEC"))
            assert before <= at <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, (before, at)
            assert reloading == {}
            assert manager.next() == {"READY": "1"}
            (pathlib.Path(daemon.dir) / "ternd.yaml").write_text("scheduler: {policy: wrong}\n")
            daemon.process.send_signal(signal.SIGHUP)
            assert manager.next()["RELOADING"] == "1"
            assert manager.next() == {"READY": "1"}, "a refused reload leaves it ready"
            daemon.process.send_signal(signal.SIGTERM)
            assert manager.next() == {"STOPPING": "1"}
            assert daemon.process.wait(20) == 0


def systemd_hears_of_a_stop_while_loading():
    with NotifySocket() as manager:
        daemon = Daemon(model=None, config=SIMULATED,
                        env={**manager.environment(), "TERN_FAIL_POINTS": "engine.load=hang"})
        deadline = time.time() + 30
        while "listening on" not in daemon.log():
            assert time.time() < deadline and daemon.process.poll() is None, daemon.log()
            time.sleep(0.02)
        daemon.process.send_signal(signal.SIGTERM)
        assert manager.next() == {"STOPPING": "1"}
        assert daemon.process.wait(20) == 0


def thread_caches_are_off_unless_the_operator_has_his_own():
    without = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    for given, found in ((None, "glibc.malloc.tcache_count=0"), ("glibc.malloc.tcache_count=3",) * 2):
        with Daemon(model=None, config=SIMULATED, env=without | ({"GLIBC_TUNABLES": given} if given else {})) as daemon:
            process = pathlib.Path(f"/proc/{daemon.process.pid}")
            environment = process.joinpath("environ").read_bytes().split(b"\0")
            assert f"GLIBC_TUNABLES={found}".encode() in environment, environment
            assert process.joinpath("comm").read_text() == "ternd\n"


def seconds(text):
    number, unit = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?", text).groups()
    return float(number) * {"ms": 1e-3, None: 1, "s": 1, "min": 60, "m": 60, "h": 3600}[unit]


def drain_seconds(config):
    """What a drain takes at most, by the configuration in force."""
    printed = subprocess.run([BIN / "ternd", "--config", config, "--check-config"], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    printed = subprocess.run([BIN / "ternd", "--config", config, "--print-config"], capture_output=True, text=True,
                             check=True).stdout
    values = {key: seconds(re.search(rf"^  {key}: (\S+)$", printed, re.M).group(1))
              for key in ("notice", "drain_timeout")}
    return sum(values.values()) + FORCED_END_SECONDS


def unit_leaves_time_to_drain():
    unit = (BIN / "ternd.service").read_text()
    assert "@" not in unit.replace("@system-service", ""), "a variable that CMake does not know"
    stop = seconds(re.search(r"^TimeoutStopSec=(.+)$", unit, re.M).group(1))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write("model: {path: tern-stories}\n")
        config.flush()
        assert stop > drain_seconds(config.name), stop


def image_has_a_configuration_that_ternd_takes():
    config = SOURCE / "deploy/container/ternd.yaml"
    drain_seconds(config)
    exposed = re.search(r"^EXPOSE (.+)$", (SOURCE / "Dockerfile").read_text(), re.M).group(1).split()
    assert exposed == re.findall(r'"0\.0\.0\.0:(\d+)"', config.read_text())


def pod_leaves_time_to_drain():
    manifest = (SOURCE / "deploy/kubernetes/ternd.yaml").read_text()
    grace = seconds(re.search(r"terminationGracePeriodSeconds: (\d+)", manifest).group(1))
    block = re.search(r"^  ternd\.yaml: \|\n((?:    .*\n)+)", manifest, re.M).group(1)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(textwrap.dedent(block))
        config.flush()
        assert grace > drain_seconds(config.name), grace


def install_brings_what_people_need():
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run(["cmake", "--install", BIN, "--prefix", root], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for name in ("bin/tern", "bin/ternd", "share/tern/ternd.yaml", "share/tern/models/tern-stories/config.json",
                     "share/tern/proto/tern/v1/inference.proto", "share/tern/proto/grpc/health/v1/health.proto",
                     "share/tern/deploy/grafana/tern.json", "share/tern/deploy/prometheus/scrape.yaml",
                     "share/doc/tern/LICENSE", "share/doc/tern/docs/grpc.md", "share/man/man1/tern.1", "share/man/man8/ternd.8",
                     "share/bash-completion/completions/tern", "share/bash-completion/completions/ternd",
                     "share/zsh/site-functions/_tern", "share/fish/vendor_completions.d/tern.fish"):
            assert pathlib.Path(root, name).stat().st_size > 0, name
        assert f"ExecStart={root}/bin/ternd " in pathlib.Path(root, "lib/systemd/system/ternd.service").read_text()
        manual = pathlib.Path(root, "share/man/man1/tern.1").read_text()
        assert all(f".SS {command}\n" in manual for command in ("generate", "chat", "ps", "bench serve")), manual
        manual = pathlib.Path(root, "share/man/man8/ternd.8").read_text()
        for section in ("EXIT STATUS", "ENVIRONMENT", "FILES", "SIGNALS"):
            assert f".SH {section}\n" in manual, section
        assert "/usr/" not in manual, "the prefix may be another"
        for page in pathlib.Path(root, "share/doc/tern").rglob("*.md"):
            prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)  # where a lambda looks like a link
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
                assert (page.parent / link).exists(), f"{page}: {link}"
        # The bundled model is found from where the programs are.
        named = subprocess.run([f"{root}/bin/tern", "inspect", "--model", "tern-stories"], cwd="/", capture_output=True, text=True)
        assert named.returncode == 0 and root in named.stdout, named


def package_has_a_configuration_that_ternd_takes():
    drain_seconds(SOURCE / "deploy/debian/ternd.yaml")


if __name__ == "__main__":
    for test in (systemd_hears_of_start_reload_and_stop, systemd_hears_of_a_stop_while_loading,
                 thread_caches_are_off_unless_the_operator_has_his_own,
                 unit_leaves_time_to_drain, image_has_a_configuration_that_ternd_takes,
                 package_has_a_configuration_that_ternd_takes, install_brings_what_people_need, pod_leaves_time_to_drain):
        start = time.time()
        test()
        print(f"{test.__name__}: ok in {time.time() - start:.1f} s", flush=True)
