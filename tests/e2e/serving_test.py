#!/usr/bin/env python3
"""What operators rely on: health by progress, the watchdog, draining, reloading, abort."""
import concurrent.futures
import fcntl
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

from harness import SOURCE, Daemon, find_key

SIMULATED = "engine: {simulate: true}\nscheduler: {max_num_seqs: 4}\n"


def wait_for(what, condition, seconds=30):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def generate(daemon, *args, tokens=20):
    """A running `tern generate`: a seed gives its length, so the answer does not end by itself."""
    command = daemon.command("generate", "--raw", "--prompt", "hello", "--ignore-eos", "--temperature", "0",
                             "--max-tokens", str(tokens), "--json", *args)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def live(daemon):
    return find_key(daemon.json("status"), "num_live_requests")


def fetch(daemon, path):
    """Status and text of a GET."""
    try:
        with urllib.request.urlopen(f"http://{daemon.http}{path}") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def health(daemon):
    status, text = fetch(daemon, "/health")
    return status, json.loads(text)["status"]


def environment(points):
    return {"env": {**os.environ, "TERN_FAIL_POINTS": points}}


def hung_engine_turns_health_and_leaves_its_state():
    config = SIMULATED + "health: {max_silence: 300ms, watchdog_timeout: 1500ms}\nhttp: {listen: 127.0.0.1:0}\n"
    with Daemon(model=None, config=config, **environment("engine.step=hang@20")) as daemon:
        first = generate(daemon, tokens=1000)
        wait_for("not healthy", lambda: "not healthy" in daemon.log())
        assert health(daemon) == (503, "stuck")
        daemon.process.wait(20)
        assert daemon.process.returncode == -signal.SIGABRT, daemon.process.returncode
        log = daemon.log()
        state = log[log.index("watchdog:"):]
        assert re.search(r"live requests 1\b", state), state
        assert re.search(r"request id=\S+ class=default admitted .* prompt_tokens=5 ", state), state
        first.communicate()
        assert first.returncode == 3, "the client hears that the server is gone"


def slow_is_not_stuck():
    # Idle for longer than the limit, then a request, then steps as long as a third of it.
    config = SIMULATED + "health: {max_silence: 600ms, watchdog_timeout: 3s}\n"
    with Daemon(model=None, config=config, **environment("engine.step=delay:200")) as daemon:
        time.sleep(1)
        done = generate(daemon, tokens=8)
        done.communicate()
        assert done.returncode == 0
        assert "not healthy" not in daemon.log(), daemon.log()


def sigterm_finishes_what_runs_and_refuses_what_comes():
    with Daemon(model=None, config=SIMULATED) as daemon:
        running = [generate(daemon, tokens=1000) for _ in range(8)]  # four of them wait for a place
        wait_for("running", lambda: live(daemon) == 8)
        daemon.process.send_signal(signal.SIGTERM)
        wait_for("draining", lambda: "draining:" in daemon.log())
        refused = generate(daemon)
        _, error = refused.communicate()
        assert refused.returncode == 1 and "DRAINING" in error, error
        for process in running:
            out, error = process.communicate(timeout=60)
            assert process.returncode == 0, error
            assert json.loads(out)["usage"]["completion_tokens"] == 1000
        assert daemon.process.wait(20) == 0


def second_signal_ends_now():
    with Daemon(model=None, config=SIMULATED) as daemon:
        running = generate(daemon, tokens=4000)
        wait_for("running", lambda: live(daemon) == 1)
        daemon.process.send_signal(signal.SIGTERM)
        wait_for("draining", lambda: "draining:" in daemon.log())
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(20) == 0
        _, error = running.communicate()
        assert running.returncode == 1 and "DRAINING" in error, error


def drain_told_again_ends_earlier():
    for first in (lambda daemon: daemon.process.send_signal(signal.SIGTERM),
                  lambda daemon: subprocess.Popen(daemon.command("drain"), stdout=subprocess.DEVNULL)):
        with Daemon(model=None, config=SIMULATED + "shutdown: {drain_timeout: 100s}\n",
                    **environment("engine.step=delay:20")) as daemon:
            running = generate(daemon, tokens=4000)
            wait_for("running", lambda: live(daemon) == 1)
            first(daemon)
            wait_for("draining", lambda: "at most 100 s" in daemon.log())
            start = time.time()
            daemon.tern("drain", "--timeout", "1")
            assert daemon.process.wait(30) == 0 and time.time() - start < 15
            assert "told again, for at most 1 s" in daemon.log()
            _, error = running.communicate()
            assert running.returncode == 1 and "DRAINING" in error, error


def drain_waits_for_a_notice_and_reports():
    with Daemon(model=None, config=SIMULATED + "shutdown: {notice: 1500ms}\n") as daemon:
        running = generate(daemon, tokens=1500)
        wait_for("running", lambda: live(daemon) == 1)
        drain = subprocess.Popen(daemon.command("drain", "--json"), stdout=subprocess.PIPE, text=True)
        wait_for("notice", lambda: "still taken" in daemon.log())
        late = generate(daemon)
        late.communicate()
        assert late.returncode == 0, "taken during the notice"
        progress = [json.loads(line) for line in drain.communicate(timeout=60)[0].splitlines()]
        assert drain.returncode == 0 and progress[0]["num_live_requests"] >= 1 and progress[-1]["done"], progress
        running.communicate()
        assert running.returncode == 0 and daemon.process.wait(20) == 0


def everyone_says_draining_during_the_notice():
    for stop in (lambda daemon: daemon.process.send_signal(signal.SIGTERM),
                 lambda daemon: subprocess.Popen(daemon.command("drain"), stdout=subprocess.DEVNULL)):
        with Daemon(model=None, config=SIMULATED + "shutdown: {notice: 3s}\n", http="127.0.0.1:0") as daemon:
            running = generate(daemon, tokens=4000)
            wait_for("running", lambda: live(daemon) == 1)
            stop(daemon)
            wait_for("notice", lambda: "still taken" in daemon.log())
            assert health(daemon) == (503, "draining")
            assert fetch(daemon, "/health/live")[0] == 200
            page = json.loads(fetch(daemon, "/status.json")[1])
            assert page["state"] == "draining" and page["ready"] is False, page
            assert re.search(r"^tern_ready 0$", fetch(daemon, "/metrics")[1], re.M)
            assert daemon.json("status")["state"] == "draining"
            late = generate(daemon)
            late.communicate()
            assert late.returncode == 0, "taken during the notice"
            daemon.process.send_signal(signal.SIGTERM)
            running.communicate()


def sighup_reloads_the_scheduling_or_says_why_not():
    with Daemon(model=None, config=SIMULATED) as daemon:
        file = pathlib.Path(daemon.dir) / "ternd.yaml"
        file.write_text("engine: {simulate: true}\nscheduler: {max_num_seqs: 2, policy: priority}\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("reload", lambda: "scheduler.max_num_seqs 4 -> 2" in daemon.log())
        running = [generate(daemon, tokens=300) for _ in range(6)]
        for process in running:
            process.communicate()
            assert process.returncode == 0
        assert find_key(daemon.json("status"), "max_step_seqs") <= 2
        file.write_text("engine: {simulate: true}\nscheduler: {max_num_seqs: none}\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("refusal", lambda: "must be a whole number" in daemon.log())
        assert "the old configuration stays" in daemon.log()
        refused = daemon.tern("reload")
        assert refused.returncode == 1 and "CONFIG_INVALID" in refused.stderr, refused.stderr
        file.write_text("engine: {simulate: true}\nscheduler: {max_num_seqs: 5, policy: priority}\n")
        too_many = daemon.tern("reload")
        assert too_many.returncode == 1 and "restart for more" in too_many.stderr, too_many.stderr
        file.write_text("engine: {simulate: true}\nscheduler: {max_num_seqs: 2}\nserver: {reflection: false}\n")
        changes = daemon.json("reload")["changes"]
        assert {c["key"]: c["needs_restart"] for c in changes} == {
            "scheduler.policy": False, "server.reflection": True}, changes
        # What an operator set goes back to what the file says, and is named.
        assert daemon.tern("log-level", "debug").returncode == 0
        changes = daemon.json("reload")["changes"]
        assert {"key": "log.level", "old_value": '"debug"', "new_value": '"info"', "needs_restart": False} in changes, changes
        file.unlink()
        gone = daemon.tern("reload")
        assert gone.returncode == 1 and "CONFIG_INVALID" in gone.stderr and str(file) in gone.stderr, gone.stderr


def policies_change_under_live_requests():
    with Daemon(model=None, config=SIMULATED) as daemon:
        file = pathlib.Path(daemon.dir) / "ternd.yaml"
        running = [generate(daemon, "--priority", ["bulk", "interactive"][i % 2], tokens=400 + 50 * i) for i in range(12)]
        wait_for("all live", lambda: live(daemon) == 12)
        for policy in ("pars", "hrrn", "lpm", "sjf_prompt", "oracle", "priority", "pars"):
            file.write_text(f"engine: {{simulate: true}}\nscheduler: {{max_num_seqs: 4, policy: {policy}}}\n")
            daemon.json("reload")
            stats = daemon.json("status")["stats"]
            assert stats["policy"] == policy, stats
            assert ("ranker" in stats) == (policy in ("pars", "hrrn")), stats
        for process in running:
            process.communicate()
            assert process.returncode == 0
        file.write_text("engine: {simulate: true}\nscheduler: {max_num_seqs: 4, policy: pars, ranker: nobody}\n")
        refused = daemon.tern("reload")
        assert refused.returncode == 1 and "scheduler.ranker: nobody: no such file" in refused.stderr, refused.stderr
        assert daemon.json("status")["stats"]["policy"] == "pars"


def status_tells_how_well_the_ranker_ranks():
    questions = [json.loads(line)["prompt"] for line in
                 (SOURCE / "models/rankers/tern-stories.test.jsonl").read_text().splitlines()[:48]]
    with Daemon("--set", "scheduler.policy=pars", http="127.0.0.1:0") as daemon:
        assert "tau unknown before 30" in daemon.tern("status").stdout

        def ask(question):
            body = {"model": "tern-stories", "messages": [{"role": "user", "content": question}], "temperature": 0}
            request = urllib.request.Request(f"http://{daemon.http}/v1/chat/completions", json.dumps(body).encode(),
                                             {"Content-Type": "application/json"})
            return json.load(urllib.request.urlopen(request))

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(ask, questions))
        ranker = daemon.json("status")["stats"]["ranker"]
        assert ranker["name"] == "hashed" and int(ranker["num_answers"]) == 48 and ranker["tau"] > 0.5, ranker
        assert daemon.json("reload")["changes"] == []
        metric = re.search(r"^tern_ranker_tau (0\.\d+)$", fetch(daemon, "/metrics")[1], re.M)
        assert metric and abs(float(metric.group(1)) - ranker["tau"]) < 1e-9, (metric, ranker)
        page = json.loads(fetch(daemon, "/status.json")[1])
        assert page["policy"] == "pars" and page["ranker_tau"] == ranker["tau"], page
        text = daemon.tern("status").stdout
        assert re.search(r"^policy +pars$", text, re.M), text
        assert re.search(r"^ranker +hashed [0-9a-f]{16}, tau 0\.\d\d over the last 48 answers$", text, re.M), text


def servers_on_one_port_are_operated_apart():
    with Daemon(model=None, config=SIMULATED, listen="127.0.0.1:0") as one:
        port = one.address.rsplit(":", 1)[1]
        with Daemon(model=None, config=SIMULATED, listen=f"127.0.0.2:{port}") as two:
            for daemon, level in ((one, "debug"), (two, "error")):
                done = daemon.tern("log-level", level)
                assert done.returncode == 0 and done.stdout == f"info -> {level}\n", done
    with tempfile.TemporaryDirectory() as folder, \
            Daemon(model=None, config=SIMULATED, listen=f"unix:{os.path.relpath(folder)}/u.sock") as daemon:
        (admin,) = daemon.json("status")["admin_listen"]
        assert admin == f"unix:{folder}/u.sock.admin", admin
        assert daemon.tern("log-level", "debug").returncode == 0
        away = daemon.tern("ps", "--admin", "unix:/nowhere.sock")
        assert away.returncode == 3 and "(--admin says where)" in away.stderr, away


def abort_ends_a_request_of_another_client():
    with Daemon(model=None, config=SIMULATED) as daemon:
        running = generate(daemon, "--request-id", "mine", tokens=4000)
        wait_for("running", lambda: live(daemon) == 1)
        aborted = daemon.tern("abort", "mine", "--reason", "a test")
        assert aborted.returncode == 0 and aborted.stdout == "mine aborted\n", aborted
        _, error = running.communicate()
        assert running.returncode == 1 and "aborted: a test" in error, error
        assert daemon.used_blocks() == 0
        again = daemon.tern("abort", "mine", "nobody")
        assert again.returncode == 1 and again.stdout == "mine had finished\nnobody unknown\n", again


def failing_request_ends_alone():
    with Daemon(model=None, config=SIMULATED, **environment("engine.token=fail:13:NUMERIC_FAULT@500*1")) as daemon:
        running = [generate(daemon, tokens=400) for _ in range(4)]
        ends = sorted((process.communicate()[1], process.returncode) for process in running)
        assert [code for _, code in ends] == [0, 0, 0, 1], ends
        assert "NUMERIC_FAULT" in ends[-1][0]
        assert daemon.used_blocks() == 0


def nobody_waits_for_who_reads_the_log():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # full after some twenty lines
    daemon = Daemon(model=None, config=SIMULATED, stderr=writer)
    os.close(writer)
    try:
        wait_for("ready", lambda: daemon.tern("status").returncode == 0)
        log_level = daemon.tern("log-level", "trace")  # gRPC's own lines too
        assert log_level.returncode == 0, log_level.stderr
        for _ in range(40):  # each line with a long name
            done = daemon.tern("generate", "--request-id", "x" * 120, "--raw", "--prompt", "hello", "--max-tokens", "3")
            assert done.returncode == 0, done.stderr
        status = daemon.tern("status")
        assert status.returncode == 0 and live(daemon) == 0, status
    finally:
        daemon.process.kill()
        daemon.process.wait()
        os.close(reader)


def fail_points_that_cannot_be():
    daemon = Daemon(model=None, config=SIMULATED, **environment("engine.step=explode"))
    assert daemon.process.wait(20) == 1
    assert "TERN_FAIL_POINTS" in daemon.log()


if __name__ == "__main__":
    for test in (hung_engine_turns_health_and_leaves_its_state, slow_is_not_stuck,
                 sigterm_finishes_what_runs_and_refuses_what_comes, second_signal_ends_now,
                 drain_told_again_ends_earlier, drain_waits_for_a_notice_and_reports, everyone_says_draining_during_the_notice,
                 sighup_reloads_the_scheduling_or_says_why_not,
                 policies_change_under_live_requests, status_tells_how_well_the_ranker_ranks,
                 servers_on_one_port_are_operated_apart,
                 abort_ends_a_request_of_another_client, failing_request_ends_alone,
                 nobody_waits_for_who_reads_the_log, fail_points_that_cannot_be):
        start = time.time()
        test()
        print(f"{test.__name__}: ok in {time.time() - start:.1f} s", flush=True)
