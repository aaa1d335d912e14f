#!/usr/bin/env python3
"""Runs the unpacked image as a container engine would (its user, entry point and command; a PID namespace of its own;
no capabilities; root read-only but for a tmpfs on /run/tern) and checks what operators meet.
Needs root, and a network and a mount namespace of its own: tests/full/image.sh makes them."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HTTP = "http://127.0.0.1:8000"


def run(*command, **kwargs):
    return subprocess.run([str(part) for part in command], check=True, **kwargs)


class Image:
    """The root file system at `root`, mounted read-only, and what the image's configuration says."""

    def __init__(self, root, inspected):
        self.root = root
        document = json.loads(pathlib.Path(inspected).read_text())
        config = document["Docker"]["config"]
        self.entry_point, self.command, self.user = config["Entrypoint"], config["Cmd"], config["User"]
        self.health_check = config["Healthcheck"]["Test"][1:]
        self.stop_signal = signal.Signals[config["StopSignal"]]
        self.volumes = list(config["Volumes"])
        self.environment = dict(entry.split("=", 1) for entry in config["Env"])
        run("mount", "--make-rprivate", "/")
        run("mount", "--bind", root, root)
        run("mount", "-o", "remount,bind,ro,nosuid,nodev", root)
        run("mount", "-t", "tmpfs", "-o", "nosuid,noexec", "tmpfs", f"{root}/dev")
        for device in ("null", "zero", "urandom"):
            pathlib.Path(f"{root}/dev/{device}").touch()
            run("mount", "--bind", f"/dev/{device}", f"{root}/dev/{device}")
        run("mount", "-o", "remount,ro", f"{root}/dev")

    def confined(self, *command):
        """`command` in the image, as its user, without capabilities."""
        uid, gid = self.user.split(":")
        return ["chroot", self.root, "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", *command]

    def exec(self, *command):
        """What `docker exec` does."""
        return subprocess.run(self.confined(*command), capture_output=True, text=True, timeout=120,
                              env=self.environment)


class Container:
    """A run of the image; ternd is PID 1 in it."""

    def __init__(self, image, *args, tmpfs=True, files=None, environment=None):
        self.image, self.dir = image, tempfile.TemporaryDirectory()
        self.log_path = pathlib.Path(self.dir.name) / "log"
        self.mounts = []
        if tmpfs:
            for volume in image.volumes:
                self.mount("-t", "tmpfs", "-o", "size=1m,mode=0755,uid=901,gid=901", "tmpfs", image.root + volume)
        for path, text in (files or {}).items():
            source = pathlib.Path(self.dir.name) / path.replace("/", "_")
            source.write_text(text)
            self.mount("--bind", source, image.root + path)
        inside = image.confined(*image.entry_point, *(args or image.command))
        # proc is the namespace's own, as the image's programs look themselves up in it.
        script = 'mount -t proc proc "$0/proc" && exec "$@"'
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, image.root, *inside],
            stdout=subprocess.DEVNULL, stderr=self.log_path.open("w"), env={**image.environment, **(environment or {})})

    def mount(self, *args):
        run("mount", *args)
        self.mounts.append(args[-1])

    def log(self):
        return self.log_path.read_text()

    def pid(self):
        """Of ternd, outside: the child of unshare."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def wait_ready(self):
        wait_for("ready", lambda: "ternd ready" in self.log() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        return self

    def stop(self):
        os.kill(self.pid(), self.image.stop_signal)

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(30)  # for its port, too

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        for mount in reversed(self.mounts):
            run("umount", "--lazy", mount)
        self.dir.cleanup()


def wait_for(what, condition, seconds=60):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def post(path, document):
    request = urllib.request.Request(HTTP + path, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def health():
    try:
        with urllib.request.urlopen(HTTP + "/health", timeout=10) as response:
            return response.status, json.load(response)["status"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["status"]


def serves_as_its_user_on_a_read_only_root(image):
    with Container(image) as container:
        assert image.exec(*image.health_check).returncode != 0, "healthy before it listens"
        container.wait_ready()
        status = pathlib.Path(f"/proc/{container.pid()}/status").read_text()
        for name, value in (("Uid", r"(901\s+){3}901"), ("Gid", r"(901\s+){3}901"), ("CapEff", "0+"),
                            ("CapBnd", "0+"), ("NoNewPrivs", "1"), ("NSpid", r"\d+\s+1")):
            assert re.search(rf"^{name}:\s+{value}$", status, re.M), f"{name}: {status}"
        # The proof that nothing else can be written: the same user, at the same place.
        for path in ("/", "/tmp", "/var/tmp", "/etc/tern", "/usr/local/share/tern", "/dev", "/dev/shm"):
            refused = image.exec("touch", f"{path}/file")
            assert refused.returncode != 0, path
        assert "Read-only file system" in image.exec("touch", "/tmp/file").stderr
        assert image.exec("touch", "/run/tern/file").returncode == 0, "the tmpfs"

        status = image.exec("tern", "status")
        assert status.returncode == 0 and re.search(r"^state +serving", status.stdout, re.M), status
        assert image.exec(*image.health_check).returncode == 0
        over_grpc = json.loads(image.exec("tern", "generate", "--prompt", "Tell me a story about a fox.",
                                          "--temperature", "0", "--max-tokens", "24", "--json").stdout)
        over_http = post("/v1/chat/completions", {
            "messages": [{"role": "user", "content": "Tell me a story about a fox."}],
            "temperature": 0, "max_tokens": 24})
        text = over_http["choices"][0]["message"]["content"]
        assert text and text == over_grpc["text"], (text, over_grpc)
        print(f"  answers: {text!r}")

        admin = image.exec("tern", "log-level", "debug")
        assert admin.returncode == 0, admin.stderr
        container.stop()
        assert container.process.wait(30) == 0, container.log()


def drains_under_load(image):
    with Container(image) as container:
        container.wait_ready()
        command = image.confined("tern", "generate", "--raw", "--prompt", "Once upon a time", "--ignore-eos",
                                 "--temperature", "0", "--max-tokens", "400", "--json")
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env=image.environment) for _ in range(16)]

        pool = concurrent.futures.ThreadPoolExecutor(4)
        over_http = [pool.submit(post, "/v1/completions", {"prompt": "Once upon a time", "ignore_eos": True,
                                                           "max_tokens": 400, "temperature": 0}) for _ in range(4)]

        def live():
            return json.loads(image.exec("tern", "status", "--json").stdout)["stats"].get("num_live_requests", 0)
        wait_for("all live", lambda: live() == len(running) + len(over_http))
        container.stop()
        wait_for("draining", lambda: "draining:" in container.log())
        assert health() == (503, "draining")
        assert image.exec(*image.health_check).returncode != 0
        refused = image.exec("tern", "generate", "--prompt", "late")
        assert refused.returncode == 1 and "DRAINING" in refused.stderr, refused
        for process in running:
            out, error = process.communicate(timeout=120)
            assert process.returncode == 0, error
            assert json.loads(out)["usage"]["completion_tokens"] == 400, out
        for answer in over_http:
            assert answer.result(120)["usage"]["completion_tokens"] == 400
        assert container.process.wait(30) == 0, container.log()
        drained = re.search(r"draining: (\d+) live", container.log()).group(1)
        print(f"  {drained} live at SIGTERM, all finished")


def watchdog_ends_pid_1(image):
    """The kernel keeps PID 1 from signals without a handler, SIGABRT among them."""
    config = ("engine: {simulate: true}\nserver: {listen: ['0.0.0.0:50051']}\nhttp: {listen: ['0.0.0.0:8000']}\n"
              "admin: {listen: 'unix:/run/tern/admin.sock'}\nhealth: {max_silence: 300ms, watchdog_timeout: 3s}\n")
    with Container(image, files={"/etc/tern/ternd.yaml": config},
                   environment={"TERN_FAIL_POINTS": "engine.step=hang@20"}) as container:
        container.wait_ready()
        client = subprocess.Popen(image.confined("tern", "generate", "--raw", "--prompt", "x", "--ignore-eos"),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=image.environment)
        wait_for("stuck", lambda: health() == (503, "stuck"))
        assert image.exec(*image.health_check).returncode != 0
        assert container.process.wait(30) != 0
        assert "watchdog:" in container.log(), container.log()
        client.wait(30)


def says_what_is_wrong(image):
    def ends_with(message, *args, **kwargs):
        with Container(image, *args, **kwargs) as container:
            code = container.process.wait(60)
            assert code == 1 and message in container.log(), (code, message, container.log())
            print("  " + container.log().strip().splitlines()[-1])
    path = "/etc/tern/ternd.yaml"
    ends_with("scheduler.max_num_seqs", files={path: "model: {path: tern-stories}\nscheduler: {max_num_seqs: 0}\n"})
    ends_with("/models/none", "--config", path, "--model", "/models/none")
    ends_with("/nowhere.yaml", "--config", "/nowhere.yaml")
    # Without the tmpfs there is no place for the admin socket.
    ends_with("unix:/run/tern/admin.sock: /run/tern: Read-only file system", tmpfs=False)
    with Container(image) as container:
        container.wait_ready()
        ends_with("0.0.0.0:50051: Address already in use", "--config", path, "--set",
                  "admin.listen=unix:/run/tern/other.sock", tmpfs=False)
        assert container.process.poll() is None


def starts_over_what_a_killed_one_left(image):
    """A volume outlives its container, and with it the admin socket."""
    with Container(image) as first:
        first.wait_ready()
        first.kill()
        assert (pathlib.Path(image.root) / "run/tern/admin.sock").exists()
        with Container(image, tmpfs=False) as second:
            second.wait_ready()
            assert image.exec("tern", "log-level", "debug").returncode == 0
            second.stop()
            assert second.process.wait(30) == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--inspect", required=True)
    arguments = parser.parse_args()
    run("ip", "link", "set", "lo", "up")
    the_image = Image(arguments.root, arguments.inspect)
    for test in (serves_as_its_user_on_a_read_only_root, drains_under_load, watchdog_ends_pid_1, says_what_is_wrong,
                 starts_over_what_a_killed_one_left):
        start = time.time()
        test(the_image)
        print(f"{test.__name__}: ok in {time.time() - start:.1f} s", flush=True)
