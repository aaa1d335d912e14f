"""Commands, most of which talk to a daemon, as scripts and people use them: exit codes, JSON, mistakes, Ctrl-C."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

from harness import BIN, MODEL, SOURCE, Daemon

TERN = str(BIN / "tern")
STORY = "Tell me a story about a fox."


def run(*args, **kwargs):
    return subprocess.run([TERN, *map(str, args)], capture_output=True, text=True, timeout=60, **kwargs)


def test_generate(daemon):
    one = daemon.json("generate", "--prompt", STORY, "--max-tokens", "20", "--seed", "5", "--logprobs", "2")
    assert len(one["token_ids"]) == len(one["logprobs"]) and one["finish_reason"] in ("length", "stop")
    assert all(len(entry["top"]) == 2 and entry["logprob"] <= 0 for entry in one["logprobs"])
    many = daemon.json("generate", "--prompt", STORY, "--max-tokens", "20", "--seed", "5", "--n", "4",
                       "--prompt-logprobs", "0")
    assert [o["text"] for o in many["outputs"]][0] == many["text"] == one["text"]
    for i, output in enumerate(many["outputs"]):
        single = daemon.json("generate", "--prompt", STORY, "--max-tokens", "20", "--seed", str(5 + i))
        assert single["token_ids"] == output["token_ids"], i
    assert len(many["prompt_logprobs"]) == many["usage"]["prompt_tokens"]
    assert many["prompt_logprobs"][0]["logprob"] is None and many["prompt_logprobs"][1]["logprob"] <= 0

    greedy = ["generate", "--prompt", STORY, "--temperature", "0", "--max-tokens", "30"]
    plain = daemon.json(*greedy)
    banned = plain["token_ids"][0]
    assert banned not in daemon.json(*greedy, "--logit-bias", f"{banned}=-100")["token_ids"]
    allowed = daemon.json(*greedy, "--allowed-token-ids", f"{banned},{plain['token_ids'][1]}")["token_ids"]
    assert set(allowed) <= {banned, plain["token_ids"][1]}
    word = plain["text"].split()[1]
    assert word not in daemon.json(*greedy, "--bad-word", word)["text"].split()
    assert daemon.json(*greedy, "--repetition-penalty", "1.5")["text"] != plain["text"]
    short = daemon.json("generate", "--prompt", "How many legs does a spider have?", "--temperature", "0",
                        "--min-tokens", "40", "--max-tokens", "50")
    assert short["usage"]["completion_tokens"] >= 40
    # A list's flag leaves the prompt that follows it alone.
    lists = ("--stop", "zzz", "--bad-word", "zzz", "--logit-bias", "5=-1", "--stop-token-ids", "1699",
             "--allowed-token-ids", ",".join(map(str, range(1000))))
    for at in range(0, len(lists), 2):
        assert daemon.tern("generate", *greedy[3:], *lists[at:at + 2], STORY).returncode == 0, lists[at]
    assert daemon.json(*greedy, "--seed", "010")["seed"] == 10
    for wrong in (["--logit-bias", "x=1"], ["--logprobs", "2"], ["--n", "0"], ["--temperature", "hot"],
                  ["--seed", "18446744073709551616"], ["--seed=-1"], ["--max-tokens", "0x10"], ["--logit-bias", "5=0x1"]):
        done = daemon.tern(*greedy, *wrong)
        assert done.returncode == 2 and wrong[0].split("=")[0] in done.stderr, done
    refused = daemon.tern(*greedy, "--n", "2")
    assert refused.returncode == 1 and "sampling.n" in refused.stderr, refused


def test_models(daemon):
    models = daemon.json("models")["models"]
    assert [m["name"] for m in models] == ["tern-stories"] and models[0]["has_chat_template"]
    assert "tern-stories" in daemon.tern("models").stdout
    for command in (["models"], ["chat"], ["generate", "--prompt", "x"]):
        assert run(*command, "--server", "127.0.0.1:1", stdin=subprocess.DEVNULL).returncode == 3, command


def test_files():
    scored = run("score", "--model", MODEL, "--prompt", "Once upon a time", "--json")
    document = json.loads(scored.stdout)
    assert scored.returncode == 0 and len(document["token_ids"]) == len(document["logprobs"]) == 4
    assert document["logprobs"][0] is None and document["logprobs"][3] > -0.1
    messages = json.dumps([{"role": "user", "content": "hi"}])
    rendered = run("template", "--model", MODEL, "--messages", "-", "--json", input=messages)
    assert json.loads(rendered.stdout)["text"] == "<|bos|><|user|>hi<|end|><|assistant|>"
    assert run("template", "--model", MODEL, "--messages", "-", input="{").returncode == 1
    with tempfile.TemporaryDirectory() as root:
        made = run("make-random", "--config", MODEL / "config.json", "--out", f"{root}/r", "--seed", 3, "--json")
        assert made.returncode == 0, made.stderr
        document = json.loads(made.stdout)
        assert document["parameters"] == 5246208 and document["bytes"] == 2 * 5246208 and document["tensors"] == 56
        again = run("make-random", "--config", MODEL / "config.json", "--out", f"{root}/r")
        assert again.returncode == 1 and f"{root}/r" in again.stderr
        assert run("inspect", "--model", f"{root}/r").returncode == 0
    text = " ".join(["Once upon a time there was a fox."] * 40)
    perplexity = run("eval", "perplexity", "--model", MODEL, "--text", "/dev/stdin", "--context", 64, "--json", input=text)
    assert perplexity.returncode == 0 and json.loads(perplexity.stdout)["perplexity"] > 1, perplexity
    task = json.dumps({"task": "t", "prompt": "How many legs does a spider have?", "answer": "x", "check": "exact"})
    tasks = run("eval", "tasks", "--model", MODEL, "--file", "/dev/stdin", "--json", input=task + "\n")
    assert tasks.returncode == 0 and json.loads(tasks.stdout)["accuracy"] == {"t": [0, 1]}, tasks
    for wrong in (["score", "--model", MODEL], ["template", "--model", MODEL], ["make-random", "--out", "x"]):
        assert run(*wrong).returncode == 2, wrong


def test_bench():
    timed = run("bench", "kernels", "--op", "add", "--shape", "2x33", "--repeat", "1", "--threads", "1", "--json")
    document = json.loads(timed.stdout)
    assert timed.returncode == 0 and not timed.stderr, timed
    assert {row["shape"] for row in document["rows"]} == {"2x33"} and document["threads"] == 1
    assert any(limit["what"] == "dram_read" for limit in document["roofline"])
    for wrong, named in ((["--op", "gem"], "quantize_input"), (["--format", "bf17"], "bf16"), (["--isa", "x"], "scalar"),
                         (["--op", "gemm", "--shape", "1x2"], "MxNxK"), (["--repeat", "0"], "--repeat")):
        refused = run("bench", "kernels", *wrong)
        assert refused.returncode == 2 and wrong[-2] in refused.stderr and named in refused.stderr, refused
        assert not refused.stdout, refused
    assert run("bench", "roofline", "--threads", "-1").returncode == 2
    step = run("bench", "step", "--model", MODEL, "--prefill", "4", "--decode", "8", "--batch", "1,2", "--repeat", "1",
               "--dram", "--json")
    document = json.loads(step.stdout)
    for row in document["rows"]:
        assert ("dram_share" in row) == (row["phase"] == "decode"), row
        if row["phase"] == "decode":
            assert abs(row["dram_share"] * document["dram_gb_per_s"] / row["gb_per_s"] - 1) < 1e-6, row
    sampled = run("bench", "step", "--model", MODEL, "--prefill", "4", "--decode", "8", "--batch", "2", "--repeat", "1",
                  "--temperature", "0.8", "--top-p", "0.9", "--top-k", "50", "--json")
    for row in json.loads(sampled.stdout)["rows"]:
        assert ("sampling_ms" in row) == ("forward_ms" in row) == (row["phase"] == "decode"), row
        if row["phase"] == "decode":
            assert 0 < row["sampling_ms"] and 0 < row["forward_ms"] < row["p50_ms"] * 2, row
    refused = run("bench", "step", "--model", MODEL, "--top-p", "1.5")
    assert refused.returncode == 1 and "top_p" in refused.stderr, refused


def test_rank():
    lines = [json.dumps({"prompt": f"{ask} topic{i}.", "length": length + i % 7, "task": "ignored"})
             for i in range(30) for ask, length in (("Name one", 3), ("Write a note on", 50), ("Write an essay on", 400))]
    with tempfile.TemporaryDirectory() as root:
        data, out = f"{root}/f.jsonl", f"{root}/r"
        with open(data, "w") as file:
            file.write("\n".join(lines))
        trained = run("rank", "train", "--data", data, "--out", out, "--json")
        document = json.loads(trained.stdout)
        assert document["examples"] == 90 and document["bytes"] == os.path.getsize(out) < 300_000, trained
        assert sorted(document["curve"], key=lambda knot: knot["score"]) == document["curve"], document
        judged = json.loads(run("rank", "eval", "--data", data, "--model", out, "--json").stdout)
        assert judged["version"] == document["version"] and judged["tau_by_fold"] == [judged["tau"]], judged
        assert judged["tau"] > 0.6 and judged["pair_accuracy"] > 0.9 and judged["us_per_prompt"] > 0, judged
        folds = run("rank", "eval", "--data", "-", "--folds", "3", "--shuffles", "2", "--json", input="\n".join(lines))
        document = json.loads(folds.stdout)
        assert not folds.stderr and len(document["tau_by_fold"]) == 6, folds
        assert abs(document["tau"] - sum(document["tau_by_fold"]) / 6) < 1e-12 and document["tau"] > 0.6, document
        assert sum(part["count"] for part in document["calibration"]) == 180, document
        again = run("rank", "eval", "--data", data, "--folds", "3", "--shuffles", "2", "--json")
        assert json.loads(again.stdout)["tau_by_fold"] == document["tau_by_fold"], again
        shown = run("rank", "eval", "--data", data, "--model", out).stdout
        assert re.search(r"^tau-b +0\.\d", shown) and re.search(r"^ *10 +9 ", shown, re.M), shown
        exists = run("rank", "train", "--data", data, "--out", out)
        assert exists.returncode == 1 and out in exists.stderr, exists
        wrong = run("rank", "train", "--data", "-", "--out", f"{root}/w", input=lines[0] + '\n{"prompt": "x"}\n')
        assert wrong.returncode == 1 and "-:2: length: " in wrong.stderr and not os.path.exists(f"{root}/w"), wrong
        other = run("rank", "eval", "--data", data, "--model", MODEL / "model.safetensors")
        assert other.returncode == 1 and "model.safetensors: is not a ranker file: " in other.stderr, other
        garbage = run("rank", "eval", "--data", data, "--model", data)
        assert garbage.returncode == 1 and f"{data}: is not a ranker file: " in garbage.stderr, garbage
        bundled = json.loads(run("rank", "eval", "--data", data, "--model", "tern-stories", "--json").stdout)
        file = MODEL.parent / "rankers" / "tern-stories.safetensors"
        same = json.loads(run("rank", "eval", "--data", data, "--model", file, "--json").stdout)
        assert bundled["version"] == same["version"] and bundled["tau"] == same["tau"], (bundled, same)
    for mistake in (["--model", "x", "--folds", "5"], ["--delta", "1"], ["--objective", "x"], ["--folds", "1"]):
        refused = run("rank", "eval", "--data", data, *mistake)
        assert refused.returncode == 2 and mistake[-2] in refused.stderr, refused


def test_prompts(daemon):
    greedy = ("--temperature", "0", "--max-tokens", "12")
    asked = daemon.tern("generate", "--prompt", STORY, *greedy).stdout
    assert daemon.tern("generate", STORY, *greedy).stdout == asked
    assert daemon.tern("generate", *greedy, STORY).stdout == asked
    for arguments in ((), ("-",)):
        assert daemon.tern("generate", *arguments, *greedy, input=STORY + "\n").stdout == asked, arguments
    assert daemon.tern("generate", "--prompt-file", "-", *greedy, input=STORY).stdout == asked
    dashed = run("generate", *greedy, "--server", daemon.address, "--", "--temperature")  # behind -- it is text
    assert dashed.returncode == 0 and dashed.stdout, dashed
    empty = daemon.tern("generate", *greedy, input="")
    assert empty.returncode == 2 and "stdin is empty" in empty.stderr, empty
    for arguments in (("",), ("--prompt", "")):  # what stdin holds is not meant
        empty = daemon.tern("generate", *arguments, *greedy, input=STORY)
        assert empty.returncode == 2 and "the prompt is empty" in empty.stderr and not empty.stdout, empty
    both = daemon.tern("generate", STORY, "--prompt-file", "x")
    assert both.returncode == 2 and "--prompt-file" in both.stderr, both
    nothing = daemon.tern("generate", "--prompt-file", "/dev/null")
    assert nothing.returncode == 2 and "/dev/null is empty" in nothing.stderr, nothing
    folder = daemon.tern("generate", "--prompt-file", "/tmp")
    assert folder.returncode != 0 and "cannot read /tmp: it is a directory" in folder.stderr, folder
    config = subprocess.run([str(BIN / "ternd"), "--config", "/tmp", "--check"], capture_output=True, text=True)
    assert config.returncode == 1 and config.stderr == "ternd: cannot read /tmp: it is a directory\n", config
    missing = daemon.tern("generate", "--prompt-file", "/no/such/file")
    assert missing.returncode == 1 and "/no/such/file" in missing.stderr, missing


def test_mistakes():
    """The cause is named, not what is missing because of it."""
    for arguments, said in (
            ("generate --promt x", "unknown option --promt; did you mean --prompt?"),
            ("generate --temprature 0.5 hello", "unknown option --temprature; did you mean --temperature?"),
            ("generate --max-token=5 hello", "unknown option --max-token; did you mean --max-tokens?"),
            ("generat hello", "unknown command 'generat'; did you mean generate?"),
            ("bench srve --rate 1", "unknown command 'srve'; did you mean serve?"),
            ("score --modle x --prompt y", "unknown option --modle; did you mean --model?"),
            ("eval perplexity --model x --txt y", "unknown option --txt; did you mean --text?"),
            ("make-random --ot x", "unknown option --ot; did you mean --out?"),
            ("generate tell me a story", "unexpected argument 'me' (text of several words needs quotes)"),
            ("generate --temp 0 x", "unknown option --temp; did you mean --temperature?"),
            ("inspect tern-stories", "unexpected argument 'tern-stories': it needs its flag before it, --model\n"),
            ("tokenize hello", "unexpected argument 'hello': it needs its flag before it, --model, --text or --file\n"),
            ("status extra", "unexpected argument 'extra'; tern status takes no arguments\n"),
            ("abort", "tern abort needs ID: ids of requests"),
            ("log-level", "tern log-level needs LEVEL: trace, debug, info, warn, error or off\n"),
            ("log-level loud", "level takes trace, debug, info, warn, error or off, not 'loud'"),
            ("--server 127.0.0.1:1 status", "option --server belongs behind the command")):
        done = run(*arguments.split())
        assert done.returncode == 2 and done.stderr.startswith(f"tern: {said}"), (arguments, done)
        assert "--help'." in done.stderr and not done.stdout, done
    daemon = subprocess.run([str(BIN / "ternd"), "--lisen", "x", "--model", "y"], capture_output=True, text=True)
    assert daemon.returncode == 2 and daemon.stderr.startswith("ternd: unknown option --lisen; did you mean --listen?")
    daemon = subprocess.run([str(BIN / "ternd"), "tern-stories"], capture_output=True, text=True)
    assert daemon.stderr.startswith("ternd: unexpected argument 'tern-stories': it needs its flag before it, --model\n"), daemon


def test_values():
    """A wrong value is named with its flag and what is allowed."""
    for arguments, said in (
            ("generate x --max-tokens", "--max-tokens has no value; it takes a whole number"),
            ("generate x --max-tokens five", "--max-tokens takes a whole number, not 'five'"),
            ("generate x --max-tokens=-1", "--max-tokens takes no negative number, but is -1"),
            ("generate x --prompt y", "--prompt is given 2 times, but takes one value (the argument TEXT is the same)"),
            ("generate x --priority hihg", "--priority takes system, interactive, default or bulk, not 'hihg'"),
            ("generate x --priority blk", "--priority takes system, interactive, default or bulk, not 'blk'; did you mean bulk?"),
            ("generate x --deadline 5", "--deadline must be a time with its unit, such as 500ms, 10s or 2m, is '5'"),
            ("generate x --deadline 5h", "--deadline must be a time with its unit, such as 500ms, 10s or 2m, is '5h'"),
            ("generate x --n 1000", "--n takes a whole number from 1 to 128, not '1000'"),
            ("generate x --prompt-file y", "--prompt and --prompt-file cannot both be given"),
            ("generate x --logprobs 2", "--logprobs needs --json"),
            ("tokenize --model x", "one of --text and --file is required"),
            ("completion bsh", "shell takes bash, zsh or fish, not 'bsh'; did you mean bash?"),
            ("bench", "tern bench needs a command: "), ("eval", "tern eval needs a command: "), ("", "tern needs a command")):
        done = run(*arguments.split())
        assert done.returncode == 2 and done.stderr.startswith(f"tern: {said}"), (arguments, done)
        assert done.stderr.count("\n") == 2 and "--help'." in done.stderr and not done.stdout, done


def test_lost_output():
    """What cannot be written is told, and is a failure; a reader that leaves early is none of anybody's business."""
    lost = "cannot write to standard output"
    tern = (["--help"], ["--version"], ["generate", "--help"], ["completion", "bash"], ["--generate", "man"],
            ["tokenize", "--model", MODEL, "--text", "hi"], ["tokenize", "--model", MODEL, "--text", "hi", "--json"],
            ["inspect", "--model", MODEL], ["detokenize", "--model", MODEL, "--ids", "1,2"])
    ternd = (["--help"], ["--version"], ["--print-config"], ["--check-config", "--model", MODEL])
    for program, commands in (("tern", tern), ("ternd", ternd)):
        for arguments in commands:
            command = [str(BIN / program), *map(str, arguments)]
            with open("/dev/full", "w") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            assert done.returncode == 1 and done.stderr == f"{program}: {lost}: No space left on device\n", (command, done)
            closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, timeout=60)
            assert closed.returncode == 1 and closed.stderr.startswith(f"{program}: {lost}: "), (command, closed)
            for ignored in (signal.SIG_DFL, signal.SIG_IGN):  # of SIGPIPE, which is inherited
                reader, writer = os.pipe()
                os.close(reader)
                done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, restore_signals=False,
                                      preexec_fn=lambda action=ignored: signal.signal(signal.SIGPIPE, action))
                os.close(writer)
                assert done.returncode in (1, -signal.SIGPIPE) and not done.stderr, (command, done)


def test_lost_answers(daemon):
    for arguments in (["generate", STORY, "--max-tokens", "5"], ["generate", STORY, "--max-tokens", "5", "--json"], ["models"],
                      ["status"], ["ps"], ["ps", "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(daemon.command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.endswith("standard output: No space left on device\n"), (arguments, done)


def every_command():
    """The words behind `tern` that make a command, by its own help."""
    def below(path):
        text = run(*path, "--help").stdout
        names = re.findall(r"^  ([a-z][a-z-]*)  ", text, re.M)
        return [path] + [command for name in names for command in below([*path, name])] if names else [path]
    return [path for path in below([]) if path]


def test_help():
    commands = every_command()
    assert ["ps"] in commands and ["bench", "serve"] in commands and len(commands) > 20, commands
    listed = (SOURCE / "docs/cli.md").read_text()
    assert all(f"`{' '.join(path)}" in listed for path in commands if path not in (["eval"], ["bench"])), commands
    for block in listed.split("\n\n"):  # a table has its header
        assert not re.search(r"^\|", block, re.M) or re.search(r"^\|---", block, re.M), block
    pages = [run(*path, "--help").stdout for path in commands]
    pages.append(subprocess.run([str(BIN / "ternd"), "--help"], capture_output=True, text=True).stdout)
    for page in pages:
        for artefact in ("{false}", "{", "UINT", ":INT", "FLOAT", "NONNEGATIVE", "POSITIVE", "Option Group", "REQUIRED", "Needs:"):
            assert artefact not in page.replace("{role, content}", "").replace("{task, prompt, answer, check}", "") \
                                       .replace("prompt.i.{input_ids,logits,greedy}", ""), (artefact, page)
    for program in ("tern", "ternd"):
        version = subprocess.run([str(BIN / program), "--version"], capture_output=True, text=True).stdout
        assert re.fullmatch(rf"{program} \d+\.\d+\.\d+( \([0-9a-f]{{7,}}(-dirty)?\))?\n", version), version


def test_completion():
    script = run("completion", "bash").stdout

    def complete(*words):
        line = " ".join(f"'{word}'" for word in words)
        asked = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _tern_completion; printf '%s\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout.split()

    assert complete("tern", "gen") == ["generate"]
    assert complete("tern", "bench", "se") == ["serve"]
    assert "--temperature" in complete("tern", "generate", "--t") and "--rate" not in complete("tern", "generate", "--")
    assert complete("tern", "generate", "--priority", "in") == ["interactive"]
    assert complete("tern", "completion", "z") == ["zsh"]
    for shell in ("zsh", "fish"):
        assert "generate" in run("completion", shell).stdout
    wrong = run("completion", "csh")
    assert wrong.returncode == 2 and "csh" in wrong.stderr


def test_unreachable():
    """Why there is no server is told, and the exit code is 3."""
    with tempfile.TemporaryDirectory() as root, Daemon(listen="127.0.0.1:0", http="127.0.0.1:0") as daemon:
        admin = daemon.json("status")["admin_listen"][0]
        locked = f"{root}/locked.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(locked)
        left = f"{root}/left.sock"
        socket.socket(socket.AF_UNIX).bind(left)
        for address, said in (("127.0.0.1:1", "connection refused"), ("no-such-host.invalid:50051", "cannot be resolved"),
                              (daemon.http, "HTTP/1.1"), (f"unix:{root}/none.sock", "there is no socket"),
                              (f"unix:{left}", "nobody listens"), (f"unix:{__file__}", "is no socket"),
                              (f"http://{daemon.http}", "it is an URL"), ("localhost", "there is no port"),
                              (admin, "admin.listen")):
            for command in (["status"], ["generate", "x"]):
                done = run(*command, "--server", address)
                assert done.returncode == 3 and said in done.stderr and done.stderr.count("\n") == 1, (address, done)
        listener.close()
        # The reverse: gRPC's port given to the client of the HTTP API.
        done = run("bench", "serve", "--http", f"http://{daemon.address}", "--rate", "1", "--num-requests", "1")
        assert done.returncode == 3 and "gRPC" in done.stderr, done


def test_ps(daemon):
    assert daemon.json("ps")["requests"] == []
    client = subprocess.Popen(daemon.command("generate", STORY, "--ignore-eos", "--request-id", "seen", "--priority", "interactive"),
                              stdout=subprocess.PIPE)
    client.stdout.read(1)
    (live,) = daemon.json("ps")["requests"]
    assert live["request_id"] == "seen" and live["phase"] == "REQUEST_PHASE_DECODE", live
    assert live["priority"] == "PRIORITY_CLASS_INTERACTIVE" and live["num_answers"] == 1, live
    assert live["prompt_tokens"] > 0 and live["generated_tokens"] > 0, live
    assert live["peer"] == "unix" or live["peer"].startswith("127.0.0.1:"), live
    assert 0 < live["ttft_seconds"] <= live["age_seconds"], live
    assert STORY not in json.dumps(live)
    shown = daemon.tern("ps").stdout
    assert re.search(r"^seen +decode +interactive +\d+ +\d+ ", shown, re.M), shown
    client.send_signal(signal.SIGINT)
    client.wait(20)
    daemon.wait_idle()
    assert daemon.json("ps")["requests"] == []


def test_interrupt(daemon):
    client = subprocess.Popen(daemon.command("generate", "--prompt", STORY, "--ignore-eos"), stdout=subprocess.PIPE)
    client.stdout.read(1)
    client.send_signal(signal.SIGINT)
    assert client.wait(20) == 130
    daemon.wait_idle()


def main():
    test_files()
    print("test_files: ok")
    test_bench()
    print("test_bench: ok")
    test_rank()
    print("test_rank: ok")
    for test in (test_mistakes, test_values, test_lost_output, test_help, test_completion, test_unreachable):
        test()
        print(f"{test.__name__}: ok")
    with Daemon() as daemon:
        for test in (test_generate, test_lost_answers, test_prompts, test_ps, test_models, test_interrupt):
            test(daemon)
            print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
