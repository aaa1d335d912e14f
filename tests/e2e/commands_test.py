"""Commands, most of which talk to a daemon, as scripts and people use them: exit codes, JSON, Ctrl-C, Ctrl-D."""
import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

from harness import BIN, MODEL, Daemon

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
    for wrong in (["--logit-bias", "x=1"], ["--logprobs", "2"], ["--n", "0"], ["--temperature", "hot"]):
        done = daemon.tern(*greedy, *wrong)
        assert done.returncode == 2 and wrong[0] in done.stderr, done
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


def test_chat_script(daemon):
    question = "How many legs does a spider have?"
    chat = daemon.command("chat", "--temperature", "0", "--max-tokens", "30")
    done = subprocess.run(chat, input=f"{question}\n\n/reset\n{question}\n", capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 2 and lines[0] == lines[1], done
    alone = daemon.tern("generate", "--prompt", question, "--temperature", "0", "--max-tokens", "30")
    assert alone.stdout.strip() == lines[0]
    failed = subprocess.run(chat, input="x " * 3000 + "\nhello\n", capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1 and "context" in failed.stderr and not failed.stdout, failed

    script = subprocess.Popen(daemon.command("chat", "--ignore-eos"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    script.stdin.write(b"Tell me a story.\n")
    script.stdin.flush()
    script.stdout.read(1)
    script.send_signal(signal.SIGINT)
    assert script.wait(20) == 130


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, word, seconds=30):
        deadline = time.time() + seconds
        while word not in self.seen:
            assert time.time() < deadline, f"{word!r} is not in {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    break
        at = self.seen.find(word)
        assert at >= 0, f"{word!r} is not in {self.seen!r}"
        before, self.seen = self.seen[:at], self.seen[at + len(word):]
        return before

    def exit_code(self):
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def has_terminals():
    """A container may come without /dev/pts."""
    try:
        for fd in pty.openpty():
            os.close(fd)
        return True
    except OSError as error:
        print(f"test_chat_terminal: skipped, this machine has no pseudo-terminals ({error})")
        return False


def test_chat_terminal(daemon):
    if not has_terminals():
        return
    terminal = Terminal(daemon.command("chat", "--temperature", "0", "--ignore-eos", "--max-tokens", "900"))
    terminal.wait_for("> ")
    terminal.type(STORY + "\n")
    terminal.wait_for("morning")  # it streams
    terminal.type("\x03")  # Ctrl-C stops the answer, not the program
    terminal.wait_for("\n> ")
    daemon.wait_idle()
    terminal.type("\x03")  # nor at the prompt
    terminal.wait_for("\n> ")
    terminal.type("/nonsense\n")
    terminal.wait_for("no such command: /nonsense")
    terminal.wait_for("> ")
    terminal.type("And then?\n")  # the conversation goes on
    terminal.wait_for("\n")
    terminal.wait_for(" ")
    terminal.type("\x03")
    terminal.wait_for("\n> ")
    terminal.type("\x04")  # Ctrl-D leaves
    assert terminal.exit_code() == 0


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
    with Daemon() as daemon:
        for test in (test_generate, test_models, test_chat_script, test_chat_terminal, test_interrupt):
            test(daemon)
            print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
