#!/usr/bin/env python3
"""Mixed load for some minutes: 64 clients over gRPC and HTTP, a fifth of their requests cancelled, others malformed.

Every request that the server took must have ended, the KV cache be empty, and resident memory grow by less than 1 MB in
ten minutes (after a warm-up of a fifth of the time). --trace: an Azure CSV, whose lengths are clipped to the context.
"""
import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time

CLIENTS = 64
MALFORMED = (
    (b"{", "application/json"), (b"\xff\xfe", "application/json"), (b"[]", "application/json"),
    (b'{"prompt": 5}', "application/json"), (b'{"prompt": "x", "temperature": "hot"}', "application/json"),
    (b'{"prompt": "x", "temperature": 99}', "application/json"), (b'{"prompt": "x", "n": 1000}', "application/json"),
    (b'{"prompt": "x", "max_tokens": 100000}', "application/json"), (b'{"model": "other", "prompt": "x"}', "application/json"),
    (b"prompt=x", "application/x-www-form-urlencoded"), (b'{"prompt": [99999999]}', "application/json"))


class Malformed(threading.Thread):
    """Sends what must be refused, at a rate of requests a second; every answer must be a 4xx."""

    def __init__(self, host, rate):
        super().__init__(daemon=True)
        self.host, self.rate, self.sent, self.wrong, self.stop = host, rate, 0, [], False
        self.rng = random.Random(5)

    def run(self):
        while not self.stop:
            time.sleep(self.rng.expovariate(self.rate))
            body, kind = self.rng.choice(MALFORMED)
            connection = http.client.HTTPConnection(self.host, timeout=30)
            try:
                connection.request("POST", "/v1/completions", body, {"Content-Type": kind})
                status = connection.getresponse().status
                if not 400 <= status < 500:
                    self.wrong.append((status, body))
            finally:
                connection.close()
            self.sent += 1


def load(daemon, target, seconds, seed, trace):
    command = [daemon.command()[0], "bench", "serve", *target, "--concurrency", str(CLIENTS // 2), "--duration",
               f"{seconds:.0f}s", "--num-requests", "100000000", "--seed", str(seed), "--cancel-rate", "0.2", "--cancel-after",
               "300ms", "--prompt-as", "ids", "--vocab-size", "256", "--json"]
    if trace:
        command += ["--trace", trace, "--speedup", "1000000"]
        command[command.index("--num-requests"):command.index("--seed")] = []
    else:
        command += ["--input-len", "128", "--output-len", "128", "--range-ratio", "0.9"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slope_per_10_minutes(samples):
    """Of (time, KiB), by least squares."""
    times, sizes = zip(*samples)
    return statistics.linear_regression(times, sizes).slope * 600


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--bin", help="folder of tern and ternd")
    args.add_argument("--ternd", default="ternd", help="another daemon of that folder: the control has a leak")
    args.add_argument("--minutes", type=float, default=10)
    args.add_argument("--trace")
    options = args.parse_args()
    if options.bin:
        os.environ["TERN_BIN"] = os.path.abspath(options.bin)
    from harness import BIN, Daemon, find_key

    totals = {"completed": 0, "cancelled": 0, "failed": 0}
    with Daemon("--set", "log.level=warn", "--set", "engine.kv_cache_bytes=384MiB", http="127.0.0.1:0", listen="127.0.0.1:0",
                program=(BIN / options.ternd,)) as daemon:
        host = re.search(r"HTTP on ([^\s,]+)", daemon.log()).group(1)
        malformed = Malformed(host, rate=3)
        malformed.start()
        begin, rss = time.time(), []
        end = begin + options.minutes * 60
        seed = 0
        while time.time() < end:
            seconds = min(30, max(end - time.time(), 2))
            running = [load(daemon, target, seconds, seed + i, options.trace)
                       for i, target in enumerate((["--server", daemon.address], ["--http", f"http://{host}"]))]
            seed += 2
            outputs = []
            readers = [threading.Thread(target=lambda p=p: outputs.append(p.communicate())) for p in running]
            for reader in readers:
                reader.start()
            while any(reader.is_alive() for reader in readers):
                time.sleep(1)
                if time.time() > begin + options.minutes * 12:
                    rss.append((time.time(), daemon.rss_kib()))
            for process, (out, error) in zip(running, outputs):
                assert process.returncode == 0, error
                result = json.loads(out)
                for key in totals:
                    totals[key] += result[key]
                assert result["failed"] == 0, result["failures"]
        malformed.stop = True
        malformed.join()
        daemon.wait_idle()
        status = daemon.json("status")
    submitted, finished = find_key(status, "num_requests_submitted"), find_key(status, "num_requests_finished")
    grown = slope_per_10_minutes(rss)
    print(f"{totals['completed']} completed, {totals['cancelled']} cancelled, {malformed.sent} malformed; taken {submitted}, "
          f"ended {finished}, KV back to zero; RSS {rss[0][1]} -> {rss[-1][1]} KiB, slope {grown:+.0f} KiB in 10 minutes")
    problems = [text for bad, text in (
        (submitted != finished, f"{submitted - finished} requests never ended"),
        (submitted < totals["completed"] + totals["cancelled"] * 0.5, "fewer requests taken than answered"),
        (find_key(status, "num_live_requests") != 0, "requests are live after their clients"),
        (malformed.wrong, f"not refused: {malformed.wrong[:3]}"),
        (grown > 1024, "RSS grows")) if bad]
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
