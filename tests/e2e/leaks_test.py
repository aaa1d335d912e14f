#!/usr/bin/env python3
"""Leak count: whatever a client does, on every transport, as many calls are released as were created."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

from harness import Daemon, find_key

CONFIG = """
engine: {simulate: true}
scheduler: {max_num_seqs: 4}
http: {listen: 127.0.0.1:0}
limits: {max_buffered_tokens: 8, max_reader_pause: 300ms}
"""
# A wait wherever a request changes its state.
DELAYS = ",".join(f"engine.{point}=delay:5" for point in ("submit", "step", "cancel", "token"))


def wait_for(what, condition, seconds=30):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.01)


class Grpc:
    """A request of a `tern generate` process."""

    def __init__(self, daemon, unary, tokens, deadline=None, wide=False):
        args = ["--unary"] * unary + ["--logprobs", "20"] * wide
        if deadline:
            args += ["--deadline", f"{deadline}s"]
        self.process = subprocess.Popen(
            daemon.command("generate", "--raw", "--prompt", "hello", "--ignore-eos", "--temperature", "0", "--json",
                           "--max-tokens", str(tokens), *args),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def cancel(self):
        self.process.send_signal(signal.SIGINT)

    def stop_reading(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on_reading(self):
        self.process.send_signal(signal.SIGCONT)

    def vanish(self):
        self.process.kill()

    def end(self):
        """The reason of its failure, or None."""
        _, error = self.process.communicate(timeout=60)
        if self.process.returncode == 0:
            return None
        reason = re.search(r"\(([A-Z_]+)\)", error)
        return reason.group(1) if reason else f"exit code {self.process.returncode}: {error}"


class Http:
    """A request on a socket of its own, which reads only when it is told to."""

    def __init__(self, daemon, unary, tokens, deadline=None, wide=False):
        host, port = daemon.http.rsplit(":", 1)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host, int(port)))
        body = json.dumps({"prompt": "hello", "max_tokens": tokens, "ignore_eos": True, "temperature": 0,
                           "stream": not unary, **({"logprobs": 5, "n": 4, "temperature": 1} if wide else {})})
        timeout = f"x-request-timeout-ms: {int(deadline * 1000)}\r\n" if deadline else ""
        self.socket.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{timeout}"
                            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def cancel(self):
        self.socket.close()

    vanish = cancel

    def stop_reading(self):
        pass

    def go_on_reading(self):
        pass

    def end(self):
        if self.socket.fileno() < 0:
            return "closed"
        self.socket.settimeout(60)
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        text = response.read().decode()
        self.socket.close()
        reason = re.search(r'"reason": ?"([A-Z_]+)"', text)
        if not reason:
            assert response.status == 200 and ("[DONE]" in text or '"text"' in text), (response.status, text)
        return reason and reason.group(1)


TRANSPORTS = {"unary": (Grpc, True), "stream": (Grpc, False), "HTTP unary": (Http, True), "HTTP stream": (Http, False)}


def status(daemon, key):
    return find_key(daemon.json("status"), key)


class Cells:
    """Requests of every transport to one daemon, and what is left of each."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.num_created = 0

    def run(self, name, num_requests, client):
        """`client(make)` lives through the requests it makes by make(tokens, ...)."""
        for transport, (kind, unary) in TRANSPORTS.items():
            client(lambda tokens, **options: kind(self.daemon, unary, tokens, **options), unary)
            self.num_created += num_requests
            wait_for(f"{name}, {transport}: calls released", lambda: self.is_clean(name, transport))

    def is_clean(self, name, transport):
        now = self.daemon.json("status")
        created, released = find_key(now, "num_calls_created"), find_key(now, "num_calls_released")
        assert released <= created <= self.num_created, (name, transport, created, self.num_created)
        idle = find_key(now, "num_used_blocks") == 0 and find_key(now, "num_live_requests") == 0
        return created == released == self.num_created and idle


def normal(make, unary):
    requests = [make(20), make(1)]
    assert [r.end() for r in requests] == [None, None]


def deadline(make, unary):
    reason = make(3000, deadline=0.4).end()  # gRPC's client may see it first
    assert reason in ("GENERATION_TIMEOUT", "QUEUE_TIMEOUT", "DEADLINE_INFEASIBLE") or "the deadline passed" in reason, reason


def cancelling(daemon):
    def cancel(make, unary):
        before, cancelled = status(daemon, "num_calls_created"), daemon.log().count("reason=CLIENT_CANCELLED")
        requests = [make(3000) for _ in range(3)]
        wait_for("created", lambda: status(daemon, "num_calls_created") == before + 3)
        requests[0].cancel()
        requests[1].cancel()
        requests[2].vanish()
        for r in requests:
            r.end()
        wait_for("cancelled", lambda: daemon.log().count("reason=CLIENT_CANCELLED") == cancelled + 3)
    return cancel


def reading_slowly(daemon):
    """The first goes on in the end and hears why, the second never does."""
    def read_slowly(make, unary):
        created, slow = status(daemon, "num_calls_created"), daemon.log().count("reason=SLOW_CONSUMER")
        requests = [make(300 if unary else 3000, wide=not unary) for _ in range(2)]
        wait_for("created", lambda: status(daemon, "num_calls_created") == created + 2)
        for r in requests:
            r.stop_reading()
        wait_for("ended", lambda: status(daemon, "num_live_requests") == 0)
        num_slow = daemon.log().count("reason=SLOW_CONSUMER") - slow
        assert num_slow == 0 if unary else num_slow >= 2, num_slow  # one message is sent however it is read
        requests[0].go_on_reading()
        assert requests[0].end() == (None if unary else "SLOW_CONSUMER")
        requests[1].vanish()
        requests[1].end()
    return read_slowly


def error(make, unary):
    assert make(50).end() == "NUMERIC_FAULT"


def start(points):
    return Daemon(model=None, config=CONFIG, env={**os.environ, "TERN_FAIL_POINTS": points})


def check_stopped(daemon, num_calls):
    assert daemon.process.wait(30) == 0
    assert f"ternd stopped: {num_calls} calls, all released" in daemon.log(), daemon.log()[-1000:]


def matrix(points):
    with start(points) as daemon:
        cells = Cells(daemon)
        cells.run("normal", 2, normal)
        cells.run("deadline", 1, deadline)
        cells.run("cancel", 3, cancelling(daemon))
        if not points:  # with the delays a token takes too long to fill a socket
            cells.run("slow reader", 2, reading_slowly(daemon))
        daemon.process.send_signal(signal.SIGTERM)
        check_stopped(daemon, cells.num_created)


def errors():
    with start("engine.token=fail:13:NUMERIC_FAULT@5") as daemon:  # the first request fails midway
        cells = Cells(daemon)
        cells.run("error", 1, error)
        daemon.process.send_signal(signal.SIGTERM)
        check_stopped(daemon, cells.num_created)


def shutdown(points):
    for num_signals, tokens, reason in ((1, 400 if not points else 40, None), (2, 3500, "DRAINING")):
        with start(points) as daemon:
            requests = [kind(daemon, unary, tokens) for kind, unary in TRANSPORTS.values() for _ in range(2)]
            wait_for("submitted", lambda: status(daemon, "num_requests_submitted") == len(requests))
            daemon.process.send_signal(signal.SIGTERM)
            wait_for("draining", lambda: "draining:" in daemon.log())
            if num_signals == 2:
                daemon.process.send_signal(signal.SIGTERM)
            reasons = {r.end() for r in requests}
            assert reason in reasons and reasons <= {reason, None}, reasons  # some may have been whole
            check_stopped(daemon, len(requests))


if __name__ == "__main__":
    for test, *args in ((matrix, ""), (errors,), (shutdown, ""), (matrix, DELAYS), (shutdown, DELAYS)):
        began = time.time()
        test(*args)
        print(f"{test.__name__}{' with delays' if any(args) else ''}: ok in {time.time() - began:.1f} s", flush=True)
