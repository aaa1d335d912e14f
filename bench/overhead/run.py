#!/usr/bin/env python3
"""What ternd costs beyond a bare gRPC server of the same shape, interleaved, medians of the rounds.

  cmake --build --preset release --target bare_grpc && bench/overhead/run.py [--rounds N] [--json]

64 streams of a simulated engine with 1 ms steps against 64 streams of bench/overhead/bare_grpc.cpp with 1 ms
ticks: CPU of the server's process for each message sent; then unary calls a second, 64 at a time, and CPU a call.
Besides, ternd's own TTFT overhead: what the client saw less what the engine took, as `tern bench serve` tells. Of
64 streams that all begin in the same millisecond (`burst`) it is mostly the other 63; of streams that come one by
one, some 50 at a time, it is a request's own.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TERN_BIN", SOURCE / "build/release"))
STREAMS = 64
SIMULATED = ["engine.simulate=true", "simulate.step_base=1ms", "simulate.step_per_token=0s",
             "simulate.step_per_sequence=0s", f"scheduler.max_num_seqs={STREAMS}",
             "scheduler.max_num_batched_tokens=2048", "admin.listen=", "http.listen=off", "log.level=warn"]


def start(name):
    if name == "bare":
        process = subprocess.Popen([BIN / "bare_grpc", "serve", "1000"], stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()
    command = [BIN / "ternd", "--listen", "127.0.0.1:0"]
    for setting in SIMULATED:
        command += ["--set", setting]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"ternd ready: listening on ([^\s,]+)", line):
            return process, found.group(1)
    raise SystemExit("ternd did not start")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stream(name, tokens, load):
    """CPU µs of the server for each message, and the run's JSON."""
    process, address = start(name)
    try:
        command = [BIN / "tern", "bench", "serve", "--server", address, *load, "--input-len", "16", "--output-len", str(tokens), "--ignore-eos", "--temperature", "0",
                   "--json"]
        before = cpu_seconds(process.pid)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        result = json.loads(done.stdout)
        used = cpu_seconds(process.pid) - before
        chunks = result["total_output_tokens"] / result["tokens_per_chunk"]
        return used / chunks * 1e6, result
    finally:
        process.kill()
        process.wait()


def unary(name, seconds):
    """Calls a second, and CPU µs of the server for each."""
    process, address = start(name)
    try:
        before = cpu_seconds(process.pid)
        rate = float(subprocess.run([BIN / "bare_grpc", "ask", address, str(seconds)], capture_output=True, text=True,
                                    check=True).stdout)
        return rate, (cpu_seconds(process.pid) - before) / (rate * (seconds + 0.3)) * 1e6
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    burst = ["--concurrency", str(STREAMS), "--num-requests", str(4 * STREAMS)]
    one_by_one = ["--rate", str(0.8 * STREAMS / (options.tokens * 1.2e-3)), "--num-requests", str(6 * STREAMS)]
    rows = []
    for i in range(options.rounds):
        row = {}
        for name in ("bare", "ternd") if i % 2 else ("ternd", "bare"):
            row[f"{name}_message_us"], result = stream(name, options.tokens, burst)
            row[f"{name}_unary_per_s"], row[f"{name}_unary_us"] = unary(name, options.seconds)
            if name == "ternd":
                row["tokens_per_chunk"] = result["tokens_per_chunk"]
                row["burst_ttft_overhead_p50_ms"] = result["median_ttft_overhead_ms"]
                row["ttft_overhead_p50_ms"] = stream(name, options.tokens, one_by_one)[1]["median_ttft_overhead_ms"]
        row["message_ratio"] = row["ternd_message_us"] / row["bare_message_us"]
        row["unary_ratio"] = row["ternd_unary_per_s"] / row["bare_unary_per_s"]
        rows.append(row)
        print({k: round(v, 3) for k, v in row.items()}, file=sys.stderr, flush=True)
    medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    if options.json:
        print(json.dumps({"medians": medians, "rounds": rows}))
    else:
        for key, value in medians.items():
            print(f"{key:24} {value:.3f}")
