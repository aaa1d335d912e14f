"""`tern simulate`: on the log of a real ternd in each of its formats, on files, its mistakes and its pictures."""
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from harness import BIN, Daemon

TERN = str(BIN / "tern")
SIMULATED = ("--set", "engine.simulate=true", "--set", "simulate.step_base=2ms", "--set", "scheduler.max_num_seqs=4")
STEP = ("--step-base", "2ms", "--step-per-sequence", "0", "--slots", "4")


def tern(*args):
    return subprocess.run([TERN, *map(str, args)], capture_output=True, text=True, timeout=120)


def simulate(*args):
    done = tern("simulate", *args, "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_logs():
    """What a daemon has logged is simulated at its own times, and its own figures stand beside."""
    for log_format in ("text", "json", "logfmt"):
        with Daemon(*SIMULATED, "--set", f"log.format={log_format}", model=None) as daemon:
            load = daemon.json("bench", "serve", "--rate", "60", "--num-requests", "60", "--input-len", "40", "--output-len",
                               "20", "--range-ratio", "0.5", "--ignore-eos", "--priority", "bulk")
            daemon.wait_idle()
            r = simulate("--log", daemon.log_path, "--policies", "fcfs,hrrn,vllm-fcfs", *STEP)
            tuned = tern("simulate", "--log", daemon.log_path, "--policies", "hrrn", "--tune", "max_num_seqs=1:4", *STEP)
        assert tuned.returncode == 0 and "(as logged)" in tuned.stdout, tuned
        assert "hrrn reads a ranker's scores and is told none" in tuned.stdout and r["without_scores"] == ["hrrn"], tuned
        assert r["num_requests"] == r["logged"]["completed"] == 60 == load["completed"], r
        assert abs(r["mean_output_tokens"] - load["total_output_tokens"] / 60) < 1e-9, r
        assert [row["completed"] for row in r["rows"]] == [60] * 3, r["rows"]
        # The log rounds times to milliseconds, and counts from the engine: the client sees more.
        assert load["mean_e2el_ms"] > r["logged"]["mean_e2el_ms"] - 1 > 0.5 * load["server_mean_e2el_ms"], (r["logged"], load)
        # A real step takes no less than the simulated one.
        assert r["rows"][0]["mean_e2el_ms"] < 1.05 * r["logged"]["mean_e2el_ms"] + 2, (r["rows"][0], r["logged"])


def test_files(root):
    lengths = root / "lengths.jsonl"
    lengths.write_text("".join(json.dumps({"prompt": f"{'long' if i % 2 else 'short'} answer number {i}", "length":
                                           (400 if i % 2 else 10) + i % 9}) + "\n" for i in range(100)))
    run = ("--policies", "fcfs,pars,oracle", "--lengths", lengths, "--load", "0.5,1.3", "--num-requests", 300, "--slots", 8,
           "--seeds", 2)
    done = [tern("simulate", *run, "--json", "--threads", n) for n in (1, 2)]
    assert done[0].returncode == 0 and done[0].stdout == done[1].stdout, done
    r = json.loads(done[0].stdout)
    assert r["rank"]["from"] == "cross-fitted" and r["rank"]["tau"] > 0.3, r["rank"]
    few = ("--lengths", lengths, "--load", "0.5", "--num-requests", 50)
    alone = simulate("--policies", "hrrn", *few)
    assert alone["rank"]["from"] == "cross-fitted" and not alone["without_scores"], alone["rank"]
    bundled = simulate("--policies", "fcfs", "--ranker", "tern-stories", *few)
    assert bundled["rank"]["from"] == "tern-stories" and bundled["rank"]["tau"] != alone["rank"]["tau"], bundled["rank"]
    assert len(r["rows"]) == 2 * 3 * 2 and len(r["medians"]) == 2 * 3
    fcfs, pars, oracle = (m["mean_per_token_ms"] for m in r["medians"][3:])
    assert fcfs > 1.5 * pars and pars > 0.9 * oracle, r["medians"][3:]

    trace = root / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
        f"2023-11-16 18:{15 + i // 60}:{i % 60:02d}.0,{50 + i * 37 % 100},{1 + i * 7 % 90}\n" for i in range(200)))
    noisy = simulate("--trace", trace, "--policies", "pars", "--rank-noise", "0.5", "--load", "1.2", "--slots", "2")
    assert abs(noisy["rank"]["tau"] - 0.5) <= 0.01, noisy["rank"]

    plots = root / "plots"
    assert tern("simulate", *run, "--plot", plots).returncode == 0
    tuned = tern("simulate", "--trace", trace, "--policies", "sjf_prompt:starve_quota=0.5", "--load", "1.2", "--slots", "2", "--tune",
                 "starve_s=1:60:4", "--bound", "max_wait=1000s", "--plot", plots, "--json")
    assert tuned.returncode == 0, tuned
    tune = json.loads(tuned.stdout)["tune"]
    assert tune["yaml"] == ("scheduler:\n  policy: sjf_prompt\npolicy:\n  starve_quota: 0.5\n"
                            f"  starve_s: {tune['best']:.12g}\n") and len(tune["curve"]) >= 4, tune
    for name in ("latency-0.5.svg", "latency-1.3.svg", "load.svg", "tune.svg"):
        text = (plots / name).read_text()
        xml.etree.ElementTree.fromstring(text)
        assert "lengths.jsonl" in text or "trace.csv" in text, name
    assert "bound 1000<" in text and ">seconds<" in text and "seed 0<" in text, text  # of tune.svg
    flat = tern("simulate", "--rate", "0.01", "--num-requests", 50, "--tune", "max_preemptions=1:8:4")
    assert flat.returncode == 0 and "max_preemptions changes nothing here" in flat.stdout and "scheduler:" not in flat.stdout, flat
    assert tern("simulate", "--rate", "10", "--tune", "max_num_seqs=1:8", "--bound", "max_wait=1us").returncode == 1


def test_step_cost(root):
    done = tern("bench", "step", "--model", "tern-stories", "--batch", "1,4", "--prefill", 32, "--decode", 8, "--repeat", 1,
                "--json")
    assert done.returncode == 0, done
    (root / "step.json").write_text(done.stdout)
    cost = simulate("--step-cost", root / "step.json", "--load", 0.5, "--num-requests", 50)["step_cost"]
    assert cost["measured_steps"] == 4 and cost["base_ms"] + cost["per_token_ms"] + cost["per_sequence_ms"] > 0, cost
    assert 0 <= cost["rms_error"] <= cost["max_error"], cost


def test_mistakes(root):
    (root / "bad.jsonl").write_text('{"prompt": "p", "length": 1}\n{"prompt": "p"}\n')
    (root / "good.jsonl").write_text('{"prompt": "p", "length": 1}\n')
    for args, code, says in (
            (("--rate", 1, "--policies", "ljf"), 2, "'ljf'"), (("--rate", 1, "--policies", "fcfs:a=1"), 2, "no key 'a'"),
            (("--rate", 1, "--policies", "pars:starve_quota=7"), 2, "starve_quota"), ((), 2, "--load"),
            (("--rate", 1, "--load", 1), 2, "--rate"), (("--rate", 1, "--step-base", "5"), 2, "--step-base"),
            (("--rate", 1, "--step-base", "0", "--step-per-sequence", "0"), 2, "a step takes time"),
            (("--rate", 1, "--kv-tokens", 100), 2, "--kv-tokens"), (("--rate", 1, "--max-tokens", 5), 2, "128"),
            (("--rate", 1, "--policies", "pars"), 2, "--rank-noise"), (("--rate", 1, "--bound", "goodput=1"), 2, "--tune"),
            (("--rate", 1, "--objective", "goodput"), 2, "--tune"),
            (("--rate", 1, "--tune", "max_num_seqs=1:8", "--bound", "max_wait=20"), 2, "'20'"),
            (("--lengths", root / "bad.jsonl", "--trace", "t"), 2, "--trace"),
            (("--load", 1, "--lengths", root / "good.jsonl", "--ranker", root / "bad.jsonl"), 2, "is not a ranker file"),
            (("--rate", 1, "--ranker", "tern-stories"), 2, "--ranker needs prompts"),
            (("--rate", 1, "--tune", "k"), 2, "KEY="), (("--rate", 1, "--tune", "k=1:2"), 2, "no key 'k'"),
            (("--load", 1, "--lengths", root / "bad.jsonl"), 1, "bad.jsonl:2"),
            (("--load", 1, "--lengths", root / "none"), 1, "none"), (("--log", root / "bad.jsonl"), 1, "log.level")):
        done = tern("simulate", *args)
        assert done.returncode == code and says in done.stderr and not done.stdout, (args, done)


def main():
    test_logs()
    print("test_logs: ok")
    with tempfile.TemporaryDirectory() as root:
        for test in (test_files, test_step_cost, test_mistakes):
            test(pathlib.Path(root))
            print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
