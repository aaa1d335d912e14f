"""`tern bench serve` against a real ternd with simulated steps, and against a small server that speaks OpenAI's API."""
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

from harness import BIN, Daemon, find_key

STEP_MS = 20
SIMULATE = ["--set", "engine.simulate=true", "--set", f"simulate.step_base={STEP_MS}ms", "--set",
            "simulate.step_per_token=0s", "--set", "simulate.step_per_sequence=0s", "--set",
            "scheduler.max_num_seqs=256", "--set", "model.max_model_len=512"]
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2023-11-16 18:15:{46 + i // 10}.{i % 10},{100 * i + 1},{3 * i + 1}\n" for i in range(20))


def bench(*args, **kwargs):
    return subprocess.run([str(BIN / "tern"), "bench", "serve", *map(str, args)], capture_output=True, text=True,
                          timeout=120, **kwargs)


def result(*args):
    done = bench(*args, "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_known_truth(daemon):
    """Steps of a known length: the gaps between tokens are steps, and client and server tell the same story."""
    r = result("--server", daemon.address, "--rate", 50, "--num-requests", 150, "--warmup", 3, "--input-len", 16,
               "--output-len", 8, "--ignore-eos", "--temperature", 0, "--slo", "ttft=1m,e2el=1m", "--seed", 1)
    assert r["completed"] == 150 and r["failed"] == 0 and r["cancelled"] == 0, r
    assert r["total_output_tokens"] == 150 * 8 and r["total_input_tokens"] == 150 * 16, r
    assert r["request_rate"] == 50 and r["backend"] == "tern.v1" and r["model_id"] == "simulated", r
    assert abs(r["goodput"] / r["request_throughput"] - 1) < 1e-9, r
    # A step is no shorter than its sleep; a busy machine makes it longer, for client and server alike.
    assert r["median_itl_ms"] > 0.98 * STEP_MS, r
    assert abs(r["mean_itl_ms"] / r["server_mean_tpot_ms"] - 1) < 0.1, r
    assert r["mean_ttft_ms"] > STEP_MS and r["mean_ttft_ms"] > r["server_mean_ttft_ms"], r
    assert r["mean_e2el_ms"] > r["server_mean_e2el_ms"] > 8 * STEP_MS, r
    assert abs(r["mean_e2el_ms"] - r["mean_ttft_ms"] - 7 * r["mean_tpot_ms"]) < 1e-6 * r["mean_e2el_ms"], r


def test_loads(daemon):
    server = ("--server", daemon.address)
    short = ("--input-len", 8, "--output-len", 4, "--ignore-eos")
    closed = result(*server, "--concurrency", 4, "--num-requests", 40, *short)
    assert closed["max_concurrent_requests"] == 4 and closed["max_concurrency"] == 4, closed
    assert closed["completed"] == 40 and closed["request_rate"] == "inf", closed
    burst = result(*server, "--rate", "inf", "--num-requests", 100, *short)
    assert burst["max_concurrent_requests"] > 50 and burst["completed"] == 100, burst
    timed = result(*server, "--concurrency", 2, "--duration", "500ms", *short)
    assert 2 <= timed["completed"] and timed["duration"] < 20, timed
    cancelled = result(*server, "--rate", "inf", "--num-requests", 60, "--output-len", 400, "--ignore-eos",
                       "--cancel-rate", 1, "--cancel-after", "100ms", "--input-len", 8)
    assert cancelled["cancelled"] == 60 and cancelled["completed"] == 0 and cancelled["failed"] == 0, cancelled
    daemon.wait_idle()
    spread = result(*server, "--rate", 200, "--num-requests", 60, "--range-ratio", 0.5, "--output-len", 10,
                    "--save-requests", "--prompt-as", "text", "--input-len", 20, "--ignore-eos", "--priority", "bulk")
    assert len(spread["ttfts"]) == 60 and all(len(g) == n - 1 for g, n in zip(spread["itls"], spread["output_lens"]))
    assert min(spread["output_lens"]) >= 5 and max(spread["output_lens"]) <= 15, spread["output_lens"]
    assert spread["errors"] == [""] * 60 and set(spread["outcomes"]) == {"completed"}


def test_files(daemon):
    with tempfile.TemporaryDirectory() as root:
        trace, data, out, plots = (f"{root}/{name}" for name in ("t.csv", "d.jsonl", "r.json", "plots"))
        open(trace, "w").write(AZURE)
        open(data, "w").write('{"prompt": "a fox", "max_tokens": 3}\n{"prompt": "a bear"}\n')
        replay = bench("--server", daemon.address, "--trace", trace, "--speedup", 4, "--ignore-eos", "--out", out,
                       "--plot", plots, "--save-requests", "--policy-label", "<fcfs>", "--slo", "e2el=1m,ttft=1m")
        assert replay.returncode == 0 and "simulated" in replay.stdout, replay
        r = json.load(open(out))
        assert r["completed"] == 20 and r["policy_label"] == "<fcfs>" and r["dataset"] == trace, r
        assert 0 < r["num_clipped"] < 20 and f"{r['num_clipped']} of 20" in replay.stdout, replay
        assert r["input_lens"][1] == 101 and r["output_lens"][1] == 4, r
        assert all(i + o <= 512 for i, o in zip(r["input_lens"], r["output_lens"])), r
        assert r["start_times"][-1] >= 1.9 / 4, r
        for name in ("latency.svg", "timeline.svg"):
            root_element = xml.etree.ElementTree.parse(f"{plots}/{name}").getroot()
            text = "".join(root_element.itertext())
            for part in ("<fcfs>", f"simulated at {daemon.address}", "requests/s", time.strftime("%Y-%m-")):
                assert part in text, (name, part, text)
            assert ("SLO 60.0 s" in text and "p99 " in text) == (name == "latency.svg"), (name, text)
        with open(f"{root}/file", "w") as file:
            file.write("kept")
        begun = daemon.json("status")
        for option, bad in (("--plot", f"{root}/file"), ("--plot", f"{root}/file/below"), ("--plot", "/proc/none"),
                            ("--out", root), ("--out", f"{root}/none/r.json"), ("--out", "/proc/none")):
            failed = bench("--server", daemon.address, "--rate", 1, "--num-requests", 1, option, bad)
            assert failed.returncode == 1 and option in failed.stderr and bad in failed.stderr, (option, bad, failed)
        assert open(f"{root}/file").read() == "kept"
        assert find_key(daemon.json("status"), "num_requests_submitted") == find_key(begun, "num_requests_submitted")
        few = result("--server", daemon.address, "--dataset", data, "--concurrency", 1, "--output-len", 5, "--ignore-eos")
        assert few["completed"] == 2 and few["total_output_tokens"] == 8, few
        open(trace, "a").write("what\n")
        broken = bench("--server", daemon.address, "--trace", trace)
        assert broken.returncode == 1 and f"{trace}:22" in broken.stderr, broken
    refused = bench("--server", daemon.address, "--concurrency", 2, "--num-requests", 4, "--input-len", 600,
                    "--max-model-len", 2000)
    assert refused.returncode == 1 and "OUT_OF_RANGE" in refused.stdout + refused.stderr, refused
    assert "4 failed" in refused.stdout and "failed 4×" in refused.stdout, refused


def test_usage(daemon):
    server = ("--server", daemon.address)
    for wrong, named in (([], "--rate"), (["--rate", "0"], "--rate"), (["--rate", "x"], "'x'"),
                         (["--rate", "1", "--slo", "ttft=5"], "unit"), (["--rate", "1", "--duration", "5"], "--duration"),
                         (["--concurrency", "0"], "--concurrency"), (["--rate", "1", "--cancel-rate", "2"], "--cancel-rate"),
                         (["--rate", "inf", "--duration", "1s"], "--num-requests"),
                         (["--trace", "a", "--dataset", "b"], "exclude"),
                         (["--rate", "1", "--endpoint", "chat"], "--http")):
        done = bench(*server, *wrong)
        assert done.returncode == 2 and named in done.stderr and not done.stdout, (wrong, done)
    assert bench("--http", "https://x", "--rate", 1).returncode == 2
    assert bench("--server", "127.0.0.1:1", "--rate", 1).returncode == 3
    assert bench("--http", "http://127.0.0.1:1", "--rate", 1).returncode == 3


def test_interrupt(daemon):
    command = daemon.command("bench", "serve", "--concurrency", "8", "--duration", "60s", "--output-len", "300",
                             "--range-ratio", "1", "--ignore-eos", "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    r = json.loads(out)
    assert process.returncode == 130, (process.returncode, err)
    assert r["interrupted"] and 1 <= r["cancelled"] <= 8 and r["failed"] == 0, r
    assert re.search(r"sent, \d+ completed", err), err  # progress went to stderr
    daemon.wait_idle()


def test_bar_on_a_terminal(daemon):
    leader, follower = pty.openpty()
    process = subprocess.Popen(daemon.command("bench", "serve", "--concurrency", "4", "--duration", "1s", "--json"),
                               stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 4096):
            shown += piece
    except OSError:
        pass  # the other end is closed
    json.loads(process.communicate(timeout=30)[0])
    assert b"[#" in shown and b"in flight" in shown, shown


class OpenAi(http.server.BaseHTTPRequestHandler):
    """Five tokens, a few ms apart; refuses every fifth request, hangs up in the middle of every seventh."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else tokens wait for the client's delayed ACK, and the client says so
    lock, seen, bodies = threading.Lock(), 0, []

    def log_message(self, *_):
        pass

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "tiny", "max_model_len": 64}]})

    def event(self, document):
        data = b"data: " + (document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\r\n\r\n"
        # In two chunks, cut where it hurts.
        for piece in (data[:7], data[7:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with OpenAi.lock:
            OpenAi.seen += 1
            number = OpenAi.seen
            OpenAi.bodies.append(body)
        if number % 5 == 0:
            return self.reply(429, {"error": {"message": "slow down", "type": "rate_limit", "code": None}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chat = self.path.endswith("chat/completions")
        if chat:
            self.event({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
        for i in range(5):
            time.sleep(0.01)
            if number % 7 == 0 and i == 3:
                self.close_connection = True
                return self.connection.shutdown(2)
            text = {"delta": {"content": "x"}} if chat else {"text": "x"}
            self.event({"choices": [text | {"finish_reason": "length" if i == 4 else None}]})
        self.event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}})
        self.event(b"[DONE]")
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that hang up


def test_http():
    server = Server(("127.0.0.1", 0), OpenAi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for endpoint in ("completions", "chat"):
        OpenAi.seen, OpenAi.bodies = 0, []
        r = result("--http", url + "/v1", "--endpoint", endpoint, "--concurrency", 5, "--num-requests", 70, "--input-len",
                   20, "--output-len", 5, "--temperature", 0, "--ignore-eos", "--save-requests")
        failures = {f["code"]: f for f in r["failures"]}
        assert r["failed"] == 14 + 8 and r["completed"] == 48, r["failures"]
        assert failures["HTTP 429"]["count"] == 14 and failures["HTTP 429"]["reason"] == "rate_limit", failures
        assert failures["UNAVAILABLE"]["count"] == 8 and failures["UNAVAILABLE"]["reason"] == "CONNECTION_LOST", failures
        assert r["total_output_tokens"] == 5 * 48 and r["total_input_tokens"] == 9 * 48 and r["model_id"] == "tiny", r
        assert r["mean_ttft_ms"] > 9.9 and r["median_itl_ms"] > 9.9 and r["max_concurrent_requests"] == 5, r
        assert {len(g) for g, e in zip(r["itls"], r["errors"]) if not e} == {4}, r["itls"]
        body = OpenAi.bodies[0]
        assert body["stream"] and body["stream_options"] == {"include_usage": True} and body["max_tokens"] == 5, body
        assert body["ignore_eos"] and body["temperature"] == 0 and body["model"] == "tiny", body
        text = body["messages"][0]["content"] if endpoint == "chat" else body["prompt"]
        assert len(text.split()) == 20, body
    many = result("--http", url, "--rate", "inf", "--num-requests", 200, "--output-len", 5)
    assert many["completed"] + many["failed"] == 200 and many["max_concurrent_requests"] > 100, many
    ids = bench("--http", url, "--rate", "inf", "--prompt-as", "ids")
    assert ids.returncode == 2 and "--vocab-size" in ids.stderr, ids
    gone = result("--http", url, "--concurrency", 4, "--num-requests", 8, "--cancel-rate", 1, "--cancel-after", "15ms")
    assert gone["cancelled"] >= 3 and gone["cancelled"] + gone["failed"] + gone["completed"] == 8, gone
    server.shutdown()


def main():
    test_http()
    print("test_http: ok")
    with Daemon(*SIMULATE, model=None) as daemon:
        for test in (test_known_truth, test_loads, test_files, test_usage, test_interrupt, test_bar_on_a_terminal):
            test(daemon)
            print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
