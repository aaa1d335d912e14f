#!/usr/bin/env python3
"""What a real ternd tells of itself over HTTP, while clients come, leave and are refused."""
import concurrent.futures
import json
import re
import socket
import time
import urllib.error
import urllib.request

from harness import SOURCE, Daemon
from prometheus_text import parse

SIMULATED = ("--set", "engine.simulate=true", "--set", "scheduler.max_num_seqs=4")
CLASSES = ("system", "interactive", "default", "bulk")


def get(daemon, path):
    with urllib.request.urlopen(f"http://{daemon.http}{path}", timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def complete(daemon, headers=None, **body):
    """The status of one completion."""
    request = urllib.request.Request(f"http://{daemon.http}/v1/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def scrape(daemon):
    kind, text = get(daemon, "/metrics")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    return parse(text)[0]


def total(samples, name, **labels):
    return sum(value for (n, has), value in samples.items() if n == name and labels.items() <= dict(has).items())


def counts_come_out():
    with Daemon(*SIMULATED, "--set", "metrics.compat=vllm", model=None, http="127.0.0.1:0") as daemon:
        def one(i):
            if i % 9 == 8:
                return complete(daemon, prompt="x", model=f"hostile\"{{}}{i}", max_tokens=4)
            headers = {"X-Request-Timeout-Ms": "5"} if i % 7 == 6 else None
            return complete(daemon, headers, prompt=f"request {i}", max_tokens=200 if headers else 1 + i % 30,
                            ignore_eos=True, priority=CLASSES[i % 4])
        with concurrent.futures.ThreadPoolExecutor(12) as clients:
            codes = clients.map(one, range(150))
            for _ in range(20):
                samples = scrape(daemon)
                ended = total(samples, "tern_requests_total") - total(samples, "tern_requests_total", finish="refused")
                live = total(samples, "tern_requests_waiting") + total(samples, "tern_requests_running")
                assert ended + live <= total(samples, "tern_requests_accepted_total")
            codes = list(codes)
        codes += [complete(daemon, prompt="x", hostile_field=1), complete(daemon, prompt=7)]
        codes.append(complete(daemon, {"X-Request-Timeout-Ms": "soon"}, prompt="x"))
        samples = scrape(daemon)
        count = lambda *statuses: sum(codes.count(status) for status in statuses)  # noqa: E731
        assert total(samples, "tern_requests_total", code="OK") == count(200)
        assert total(samples, "tern_requests_total", code="NOT_FOUND", finish="refused") == count(404) == 16
        accepted = total(samples, "tern_requests_accepted_total")
        assert accepted == total(samples, "tern_requests_total") - total(samples, "tern_requests_total", finish="refused")
        assert total(samples, "tern_requests_total") == len(codes)
        assert total(samples, "tern_requests_rejected_total", reason="UNKNOWN_FIELD") == 1
        assert total(samples, "tern_requests_total", code="INVALID_ARGUMENT", finish="refused") == count(400) == 3
        assert total(samples, "tern_deadline_missed_total") == count(429, 504) > 0
        assert accepted == total(samples, "tern_e2e_request_latency_seconds_count")
        assert total(samples, "vllm:request_success_total") == accepted
        assert "hostile" not in get(daemon, "/metrics")[1]
        # What no handler has seen is counted as well; the page calls all of them by the log's ids.
        for path, body, status in (("/no/such", None, 404), ("/v1/models", b"{}", 405), ("/tokenize", b"{}", 400)):
            request = urllib.request.Request(f"http://{daemon.http}{path}", body, {"Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request)
                raise AssertionError(path)
            except urllib.error.HTTPError as error:
                assert error.code == status, (path, error.code)
        again = scrape(daemon)
        for reason in ("NO_SUCH_ROUTE", "METHOD_NOT_ALLOWED"):
            assert total(again, "tern_requests_rejected_total", reason=reason) == 1, reason
        assert total(again, "tern_requests_rejected_total") == total(samples, "tern_requests_rejected_total") + 3
        recent = [end for end in json.loads(get(daemon, "/status.json")[1])["recent"] if end["outcome"] == "refused"]
        for end in recent[:5]:
            assert end["id"] and f"refused id={end['id']} " in daemon.log(), end
        assert re.search(r"request id=\S+ class=bulk transport=http prompt_tokens=\d+ ", daemon.log())


def the_page_and_its_data_are_served():
    with Daemon(*SIMULATED, model=None, http="127.0.0.1:0") as daemon:
        kind, page = get(daemon, "/")
        assert kind.startswith("text/html"), kind
        for path, mime in (("status.js", "text/javascript"), ("status.css", "text/css")):
            assert f'"{path}"' in page
            kind, text = get(daemon, f"/{path}")
            assert kind.startswith(mime) and len(text) > 1000, (path, kind)
        before = json.loads(get(daemon, "/status.json")[1])
        assert complete(daemon, prompt="hello", max_tokens=5, ignore_eos=True) == 200
        after = json.loads(get(daemon, "/status.json")[1])
        assert after["num_ended"] == before["num_ended"] + 1 and after["recent"][0]["reason"] == "length"
        assert after["engine"]["generated_tokens"] == before["engine"]["generated_tokens"] + 5
        assert after["host"] == socket.gethostname() and before["process"]["start_time"] == after["process"]["start_time"]
        assert "queued" in json.loads(get(daemon, "/status/history.json")[1])
        assert "vllm:" not in get(daemon, "/metrics")[1]


def alert_rules():
    """[{alert, expr, …}] of the alerts: the part of YAML that the file is written in."""
    rules, block = [], None
    for line in (SOURCE / "deploy/prometheus/alerts.yaml").read_text().splitlines():
        entry = re.fullmatch(r"\s*(?:- )?(\w+): *(.*)", line.split(" # ")[0])
        if line.lstrip().startswith("- alert:"):
            rules.append({})
        if not rules or not line.strip() or line.lstrip().startswith("#"):
            continue
        if block and line.startswith(" " * 10):
            rules[-1][block] += " " + line.strip()
        elif entry:
            key, value = entry.groups()
            block = key if value == "|" else None
            rules[-1][key] = "" if block else value.strip('"')
    return rules


def check_expression(expr, samples):
    """Every metric, label and label's value that `expr` names is one that a server shows."""
    found = re.findall(r"\b((?:tern|process)_\w+)(\{[^}]*\})?", expr)
    for name, matchers in found:
        of_name = [dict(labels) for n, labels in samples if n in (name, name + "_count")]
        assert of_name, f"no server shows {name}: {expr}"
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            if label in ("job", "instance"):  # Prometheus' own
                continue
            shown = {labels.get(label) for labels in of_name}
            assert shown != {None}, f"{name} has no label {label}: {expr}"
            for word in value.split("|") if "~" in operator else [value]:
                assert word in shown, f"{name} has {label} {sorted(shown)}, not {word}: {expr}"
    return len(found)


def what_is_alerted_on_and_drawn_exists():
    with Daemon(*SIMULATED, "--set", "simulate.step_base=20ms", model=None, http="127.0.0.1:0") as daemon:
        assert complete(daemon, prompt="x", max_tokens=4) == 200
        assert complete(daemon, prompt="x", model="none") == 404
        cancelled = socket.create_connection(daemon.http.split(":"))
        body = json.dumps({"prompt": "x", "max_tokens": 1000, "stream": True, "ignore_eos": True})
        cancelled.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        cancelled.recv(1)
        cancelled.close()
        deadline = time.time() + 30
        while not total(samples := scrape(daemon), "tern_requests_total", code="CANCELLED"):
            assert time.time() < deadline, "a cancelled request is not told"
            time.sleep(0.05)
        known = set(re.findall(r"^  (\w+):|^(\w+):", (SOURCE / "configs/ternd.yaml").read_text(), re.M))
        keys = {b for _, b in known}, {a for a, _ in known}
        rules = alert_rules()
        assert len(rules) >= 15 and len({rule["alert"] for rule in rules}) == len(rules)
        for rule in rules:
            assert check_expression(rule["expr"], samples) or "up{" in rule["expr"], rule
            assert rule["severity"] in ("critical", "warning", "info"), rule
            texts = [rule[key] for key in ("summary", "description", "runbook")]
            assert all(len(text) > 20 for text in texts), rule
            check_expression(" ".join(texts), samples)
            for section, key in re.findall(r"\b([a-z]+)\.([a-z]\w+)", rule["runbook"] + rule["description"]):
                assert section not in keys[0] or key in keys[1], f"{rule['alert']}: no key {section}.{key}"
        dashboard = json.loads((SOURCE / "deploy/grafana/tern.json").read_text())
        drawn = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        assert sum(check_expression(expr.replace('{instance=~"$instance"', '{instance=""'), samples) for expr in drawn) > 20


if __name__ == "__main__":
    counts_come_out()
    the_page_and_its_data_are_served()
    what_is_alerted_on_and_drawn_exists()
    print("ok")
