"""The HTTP API of a real ternd: every endpoint, errors, many streams, clients that leave, drain."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import threading
import time

from harness import MODEL, Daemon

SPIDER = "How many legs does a spider have?"
SIMULATE = ("--set", "engine.simulate=true")


def call(daemon, method, path, body=None, headers=None):
    """(status, headers, decoded JSON or text) of one request."""
    connection = http.client.HTTPConnection(daemon.http, timeout=60)
    data = json.dumps(body) if isinstance(body, dict) else body
    connection.request(method, path, data, headers or {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    kind = response.headers["Content-Type"] or ""
    return response.status, response.headers, json.loads(text) if kind == "application/json" else text


def post(daemon, path, **body):
    status, _, answer = call(daemon, "POST", path, body)
    assert status == 200, (status, answer)
    return answer


def stream(daemon, path, **body):
    """The chunks of a stream that ends as it should."""
    status, headers, text = call(daemon, "POST", path, {**body, "stream": True})
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream"), (status, text)
    events = [e.removeprefix("data: ") for e in text.split("\n\n") if e]
    assert events[-1] == "[DONE]", events
    return [json.loads(e) for e in events[:-1]]


def error(daemon, status, path, body, headers=None):
    got, reply_headers, answer = call(daemon, "POST", path, body, headers)
    assert got == status, (got, answer)
    assert set(answer["error"]) >= {"message", "type", "param", "code", "reason"}, answer
    return answer["error"], reply_headers


def test_endpoints():
    with Daemon(http="127.0.0.1:0") as daemon:
        assert call(daemon, "GET", "/health")[::2] == (200, {"status": "serving"})
        assert call(daemon, "GET", "/health/live")[0] == 200
        model = call(daemon, "GET", "/v1/models")[2]["data"][0]
        assert model["id"] == "tern-stories" and model["max_model_len"] == 1024
        assert call(daemon, "GET", "/v1/models/tern-stories")[2] == model
        assert call(daemon, "GET", "/version")[2]["version"]

        tokens = post(daemon, "/tokenize", prompt=SPIDER)
        assert tokens["count"] == len(tokens["tokens"])
        assert post(daemon, "/detokenize", tokens=tokens["tokens"])["prompt"] == SPIDER

        messages = [{"role": "user", "content": SPIDER}]
        chat = post(daemon, "/v1/chat/completions", messages=messages, temperature=0)
        message = chat["choices"][0]["message"]
        assert message == {"role": "assistant", "content": "A spider has eight legs."}, message
        assert chat["choices"][0]["finish_reason"] == "stop"
        templated = post(daemon, "/tokenize", messages=messages)
        assert chat["usage"]["prompt_tokens"] == templated["count"]
        # The same through gRPC.
        assert daemon.json("generate", "--prompt", SPIDER, "--temperature", "0")["text"] == message["content"]
        parts = stream(daemon, "/v1/chat/completions", messages=messages, temperature=0)
        assert parts[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        text = "".join(p["choices"][0]["delta"].get("content", "") for p in parts)
        assert text == message["content"], text

        prompt = {"prompt": "Once upon a time", "max_tokens": 30, "seed": 7, "logprobs": 2}
        whole = post(daemon, "/v1/completions", **prompt)["choices"][0]
        parts = stream(daemon, "/v1/completions", **prompt, stream_options={"include_usage": True})
        assert "".join(p["choices"][0]["text"] for p in parts[:-1]) == whole["text"]
        for key in ("tokens", "token_logprobs", "text_offset"):
            assert sum((p["choices"][0]["logprobs"][key] for p in parts[:-1]), []) == whole["logprobs"][key]
        assert "".join(whole["logprobs"]["tokens"]) == whole["text"]
        assert parts[-1]["choices"] == [] and parts[-1]["usage"]["completion_tokens"] == 30

        ids = post(daemon, "/tokenize", prompt="Once upon a time")["tokens"]
        several = post(daemon, "/v1/completions", prompt=[ids, ids], n=2, max_tokens=5, seed=7, temperature=1)
        texts = [c["text"] for c in several["choices"]]
        assert [c["index"] for c in several["choices"]] == [0, 1, 2, 3]
        assert texts[:2] == texts[2:] and len(texts) == 4
        stopped = post(daemon, "/v1/chat/completions", messages=messages, temperature=0, stop=" has")["choices"][0]
        assert stopped["message"]["content"] == "A spider" and stopped["stop_reason"] == " has"
        # Scoring as evaluation harnesses do it: nothing is generated.
        scored = post(daemon, "/v1/completions", prompt=SPIDER, max_tokens=0, echo=True, logprobs=0)
        values = scored["choices"][0]["logprobs"]["token_logprobs"]
        assert scored["choices"][0]["text"] == SPIDER and values[0] is None and all(v <= 0 for v in values[1:])
        daemon.wait_idle()


def test_errors():
    with Daemon(http="127.0.0.1:0") as daemon:
        completions = "/v1/completions"
        wrong, _ = error(daemon, 400, completions, {"prompt": "x", "temperature": 9})
        assert wrong["param"] == "temperature" and "[0, 2]" in wrong["message"] and "9" in wrong["message"]
        long, _ = error(daemon, 400, completions, {"prompt": "x", "max_tokens": 5000})
        assert long["code"] == "context_length_exceeded" and long["reason"] == "CONTEXT_EXCEEDED"
        unknown, _ = error(daemon, 404, completions, {"prompt": "x", "model": "gpt"})
        assert unknown["code"] == "model_not_found"
        missing, _ = error(daemon, 400, "/v1/chat/completions",
                           {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}})
        assert missing["reason"] == "FEATURE_DISABLED" and missing["param"] == "response_format"
        broken, _ = error(daemon, 400, completions, '{"prompt": "x", }')
        assert "byte 17" in broken["message"], broken
        # The bundled model's template has no place for tools.
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        refused, _ = error(daemon, 400, "/v1/chat/completions",
                           {"messages": [{"role": "user", "content": "x"}], "tools": [tool]})
        assert refused["param"] == "tools" and refused["reason"] == "FEATURE_DISABLED"
        late, headers = error(daemon, 504, completions, {"prompt": "x", "max_tokens": 1000, "ignore_eos": True},
                              {"X-Request-Timeout-Ms": "30", "X-Request-Id": "late-one"})
        assert late["reason"] in ("GENERATION_TIMEOUT", "QUEUE_TIMEOUT")
        assert headers["X-Request-Id"] == "late-one" and late["metadata"]["request_id"] == "late-one"
        assert call(daemon, "GET", "/nowhere")[0] == 404
        assert call(daemon, "GET", completions)[0] == 405
        daemon.wait_idle()


def test_proposals_of_the_model():
    """A generation_config.json never ends a start, and top_p 0 is greedy wherever it comes from."""
    with tempfile.TemporaryDirectory() as model:
        for file in MODEL.iterdir():
            os.symlink(file, f"{model}/{file.name}")
        path = pathlib.Path(f"{model}/generation_config.json")
        path.unlink()
        path.write_text('{"top_p": -3, "temperature": "hot", "top_k": 2.5, "eos_token_id": [99999], "do_sample": true}')
        with Daemon(http="127.0.0.1:0", model=model) as daemon:
            for key, becomes in (("top_p", "-3 becomes 0.0"), ("temperature", '"hot" is ignored'),
                                 ("top_k", "2.5 is ignored"), ("eos_token_id", "99999 is ignored")):
                line = next(line for line in daemon.log().splitlines() if f" {key}: must be" in line)
                assert str(path) in line and becomes in line, line
            body = {"prompt": "Once upon a time", "max_tokens": 20}
            texts = [post(daemon, "/v1/completions", **body, **more)["choices"][0]["text"]
                     for more in ({"temperature": 0}, {}, {"top_p": 0, "seed": 1, "temperature": 2})]
            arguments = ("generate", "--raw", "--prompt", body["prompt"], "--max-tokens", "20")
            texts += [daemon.json(*arguments, *more)["text"] for more in ((), ("--top-p", "0", "--temperature", "2"))]
            assert len(set(texts)) == 1, texts


def test_queue_full():
    with Daemon(*SIMULATE, "--set", "limits.max_queued_requests=1", "--set", "scheduler.max_num_seqs=1",
                model=None, http="127.0.0.1:0") as daemon:
        body = {"prompt": "x", "max_tokens": 400, "ignore_eos": True}
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            done = list(pool.map(lambda _: call(daemon, "POST", "/v1/completions", body), range(12)))
        refused = [d for d in done if d[0] == 429]
        assert refused and len(refused) + sum(d[0] == 200 for d in done) == 12, [d[0] for d in done]
        for _, headers, answer in refused:
            assert answer["error"]["reason"] == "QUEUE_FULL" and int(headers["Retry-After"]) >= 1


def test_streams_beside_health():
    """64 streams at once; health answers meanwhile as it does on an idle server."""
    with Daemon(*SIMULATE, "--set", "http.max_streams=64", model=None, http="127.0.0.1:0") as daemon:
        prompts = ["x" * i for i in range(1, 65)]
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            running = [pool.submit(stream, daemon, "/v1/completions", prompt=p, max_tokens=300, ignore_eos=True)
                       for p in prompts]
            while daemon.used_blocks() == 0:
                time.sleep(0.01)
            answered = 0
            while not all(r.done() for r in running):
                assert call(daemon, "GET", "/health")[0] == 200
                answered += 1
            assert all(len(r.result()) > 10 for r in running)  # streamed, not sent at the end
            streamed = ["".join(c["choices"][0]["text"] for c in r.result()) for r in running]
        assert answered >= 3, answered
        for prompt, text in list(zip(prompts, streamed))[::16]:
            alone = post(daemon, "/v1/completions", prompt=prompt, max_tokens=300, ignore_eos=True)
            assert alone["choices"][0]["text"] == text
        assert len(set(streamed)) == 64
        daemon.wait_idle()


def test_clients_that_leave():
    with Daemon(http="127.0.0.1:0") as daemon:
        host, port = daemon.http.split(":")
        for streamed in (True, False):
            body = json.dumps({"prompt": "Once", "max_tokens": 1000, "ignore_eos": True, "stream": streamed})
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
                while daemon.used_blocks() == 0:
                    time.sleep(0.01)
            daemon.wait_idle(5)
            assert "reason=CLIENT_CANCELLED" in daemon.log()


def test_loading_and_drain():
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(http=f"unix:{directory}/http.sock")
        with daemon:
            assert daemon.http == f"unix:{directory}/http.sock"
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{directory}/http.sock")
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert client.makefile().read().startswith("HTTP/1.1 200 OK")

    with Daemon(*SIMULATE, model=None, http="127.0.0.1:0") as daemon:
        streams = []
        body = {"prompt": "x", "max_tokens": 1000, "ignore_eos": True}
        threads = [threading.Thread(target=lambda: streams.append(stream(daemon, "/v1/completions", **body)))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        while daemon.used_blocks() == 0:
            time.sleep(0.01)
        daemon.process.send_signal(signal.SIGTERM)
        while call(daemon, "GET", "/health")[2]["status"] != "draining":
            time.sleep(0.01)
        refused, headers = error(daemon, 503, "/v1/completions", body)
        assert refused["reason"] == "DRAINING" and int(headers["Retry-After"]) >= 1
        for thread in threads:
            thread.join(60)
        assert len(streams) == 8  # each with its [DONE]
        assert all(s[-1]["choices"][0]["finish_reason"] == "length" for s in streams)
        assert daemon.process.wait(20) == 0, daemon.log()


def raw(daemon, data, half_close=True):
    """All that a connection says to these bytes."""
    host, port = daemon.http.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(data)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
        return b"".join(parts)


def completion(headers=b"", **body):
    data = json.dumps(body).encode()
    return b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s" % (len(data), headers, data)


def test_half_closed_clients_and_shared_ids():
    with Daemon(http="127.0.0.1:0") as daemon:
        for streamed in (False, True):
            answer = raw(daemon, completion(prompt="Once", max_tokens=300, ignore_eos=True, stream=streamed))
            assert answer.startswith(b"HTTP/1.1 200 OK") or b"\r\n\r\nHTTP/1.1 200 OK" in answer, answer[:200]
            assert (b"[DONE]" if streamed else b'"finish_reason":"length"') in answer, answer[-300:]
        body = {"prompt": "Once", "max_tokens": 100, "ignore_eos": True}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda _: call(daemon, "POST", "/v1/completions", body, {"X-Request-Id": "same"}),
                                 range(8)))
        assert all(status == 200 and headers["X-Request-Id"] == "same" for status, headers, _ in done), done
        assert len({answer["id"] for *_, answer in done}) >= 2, "tern's own ids differ"


def lines_of(daemon, marker):
    return [line for line in daemon.log().splitlines() if marker in line]


def log_with(daemon, word):
    """The log, once it has `word`: its thread writes a little after an answer has left."""
    deadline = time.monotonic() + 30
    while word not in daemon.log():
        assert time.monotonic() < deadline, (word, daemon.log())
        time.sleep(0.01)
    return daemon.log()


def test_log_lines():
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    hostile = b"X-Request-Id: a\x1b[2Jb\xff \x01\r\ntraceparent: 00-evil\r\n"
    secret = "do-not-log-this"
    for form in ("text", "json", "logfmt"):
        with Daemon("--set", f"log.format={form}", http="127.0.0.1:0") as daemon:
            post(daemon, "/v1/completions", prompt="Once", max_tokens=2)
            call(daemon, "POST", "/v1/completions", {"prompt": "Once", "max_tokens": 2},
                 {"X-Request-Id": "traced", "traceparent": parent})
            call(daemon, "POST", "/v1/completions", {"prompt": secret, "temperature": 9}, {"X-Request-Id": "hot"})
            call(daemon, "GET", "/nowhere\\n\"x=1", headers={"X-Request-Id": "lost"})
            raw(daemon, completion(hostile, prompt="Once", max_tokens=2))
            raw(daemon, b"HELLO \x1b[31m\r\n\r\n")
            log = log_with(daemon, "MALFORMED_REQUEST")
            assert secret not in log and "\x1b" not in log and "ternd ready" in log
            if form == "json":
                lines = [json.loads(line) for line in log.splitlines()]
                assert all(set(line) >= {"time", "level", "msg"} for line in lines)
                requests = {line["id"]: line for line in lines if line["msg"] == "request"}
                assert requests["traced"]["traceparent"] == parent and requests["traced"]["completion_tokens"] == 2
                assert requests["a_[2Jb___"]["peer"].startswith("127.0.0.1:"), requests.keys()
                assert all("traceparent" not in line for key, line in requests.items() if key != "traced")
                refused = {line["id"]: line for line in lines if line["msg"] == "refused"}
                assert refused["hot"]["field"] == "temperature" and refused["hot"]["code"] == "INVALID_ARGUMENT"
                assert refused["hot"]["reason"] == "PARAM_OUT_OF_RANGE" and refused["hot"]["status"] == 400
                assert refused["lost"]["reason"] == "NO_SUCH_ROUTE" and refused["lost"]["status"] == 404
                assert any(line["reason"] == "MALFORMED_REQUEST" for line in refused.values())
            else:
                mark = " refused " if form == "text" else " msg=refused "
                refused = lines_of(daemon, mark)
                assert any("id=hot peer=127.0.0.1:" in line and "field=temperature code=INVALID_ARGUMENT" in line
                           for line in refused), refused
                assert len(refused) == 3, refused
                start = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning) "
                if form == "logfmt":
                    start = r"time=\S+Z level=(info|warning) msg="
                assert all(re.match(start, line) for line in log.splitlines()), log
                assert any(f"traceparent={parent}" in line for line in lines_of(daemon, "id=traced"))
            # gRPC's refused requests leave theirs, too.
            assert daemon.tern("generate", "--prompt", secret, "--temperature", "9").returncode == 1
            log_with(daemon, "sampling.random.temperature")
            refused = lines_of(daemon, "sampling.random.temperature")
            assert len(refused) == 1 and "unix" in refused[0] and "grpc" in refused[0], refused


def test_a_flood_of_refusals_is_counted():
    with Daemon(*SIMULATE, model=None, http="127.0.0.1:0") as daemon:
        connection = http.client.HTTPConnection(daemon.http, timeout=60)
        def get():
            connection.request("GET", "/nowhere")
            assert connection.getresponse().read()
        for _ in range(600):
            get()
        time.sleep(1.1)
        connection.request("GET", "/the-last")
        connection.getresponse().read()
        log_with(daemon, "/the-last")
        written = len(lines_of(daemon, " refused id="))
        more = sum(int(line.rsplit("count=", 1)[1]) for line in lines_of(daemon, " refused more alike "))
        assert written + more == 601, (written, more)


def test_the_default_address():
    """Taken, it costs HTTP and nothing else; whoever took it here, this test or another process."""
    taken = socket.socket()
    try:
        taken.bind(("127.0.0.1", 8000))
        taken.listen()
    except OSError:
        pass
    with taken, Daemon(*SIMULATE, model=None, http="auto") as daemon:
        assert daemon.http is None
        assert "HTTP is off: cannot listen on 127.0.0.1:8000: Address already in use" in daemon.log(), daemon.log()
        assert daemon.tern("status").returncode == 0
    for off in ("off", '""', "[]"):
        with Daemon(*SIMULATE, model=None, config=f"http: {{listen: {off}}}\n") as daemon:
            assert daemon.http is None and "HTTP is off" not in daemon.log()


def test_port_in_use():
    with Daemon(*SIMULATE, model=None, http="127.0.0.1:0") as first:
        second = Daemon(*SIMULATE, model=None, http=first.http)
        assert second.process.wait(20) == 1
        assert f"http.listen: cannot listen on {first.http}" in second.log(), second.log()
        second.__exit__()


def main():
    for test in (test_endpoints, test_errors, test_proposals_of_the_model, test_queue_full,
                 test_streams_beside_health, test_clients_that_leave, test_loading_and_drain,
                 test_half_closed_clients_and_shared_ids, test_log_lines, test_a_flood_of_refusals_is_counted,
                 test_the_default_address, test_port_in_use):
        test()
        print(f"{test.__name__}: ok", flush=True)


if __name__ == "__main__":
    main()
