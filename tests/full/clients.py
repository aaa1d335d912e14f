"""Load generators and client libraries against a real ternd. Run by clients.sh, which installs them.

usage: clients.py [--guidellm PROGRAM] [--vllm PROGRAM] [--clients FOLDER]   TERN_BIN: the folder of ternd
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import MODEL, Daemon  # noqa: E402

NUM_REQUESTS, STREAMS, PROMPT_TOKENS, OUTPUT_TOKENS = 24, 4, 40, 24


def run(*command, env=None):
    """Its output; no other host is reached for."""
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=900,
                          env={**os.environ, **offline, **(env or {})})
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def num_ended(daemon):
    """Requests that ternd has ended or refused."""
    daemon.wait_idle()
    with urllib.request.urlopen(f"http://{daemon.http}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tern_requests_total{"))


def check_guidellm(program, daemon, folder):
    for request_format in "/v1/completions", "/v1/chat/completions":
        path = folder / "guidellm.json"
        before = num_ended(daemon)
        run(program, "run", "--disable-console",
            "--backend", f"kind=openai_http,target=http://{daemon.http},request_format={request_format}",
            "--profile", f"kind=concurrent,streams={STREAMS}",
            "--constraint", f"kind=max_requests,count={NUM_REQUESTS}",
            "--tokenizer", f"kind=huggingface_auto,model={MODEL}",
            "--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={OUTPUT_TOKENS}",
            "--output", f"kind=json,path={path}")
        (benchmark,) = json.loads(path.read_text())["benchmarks"]
        totals = benchmark["metrics"]["request_totals"]
        # On a busy machine guidellm gives up the last of them before it has sent them, and does not count these.
        assert totals["errored"] == totals["incomplete"] == 0, totals
        assert NUM_REQUESTS - STREAMS < totals["successful"] == num_ended(daemon) - before, totals
        for request in benchmark["requests"]["successful"]:
            assert request["output_metrics"]["text_tokens"] == OUTPUT_TOKENS, request
            assert request["output"], request
        print(f"guidellm {request_format}: {totals['successful']} requests, no error")


def check_vllm(program, daemon, folder):
    for backend, endpoint in ("openai", "/v1/completions"), ("openai-chat", "/v1/chat/completions"):
        run(program, "bench", "serve", "--backend", backend, "--endpoint", endpoint,
            "--base-url", f"http://{daemon.http}", "--model", MODEL, "--served-model-name", "tern-stories",
            "--dataset-name", "random", "--random-input-len", PROMPT_TOKENS, "--random-output-len", OUTPUT_TOKENS,
            "--num-prompts", NUM_REQUESTS, "--max-concurrency", STREAMS, "--ignore-eos", "--disable-tqdm",
            "--save-result", "--save-detailed", "--result-dir", folder, "--result-filename", "vllm.json")
        result = json.loads((folder / "vllm.json").read_text())
        assert result["completed"] == NUM_REQUESTS and result["failed"] == 0, result
        assert result["total_output_tokens"] == NUM_REQUESTS * OUTPUT_TOKENS, result["total_output_tokens"]
        assert not any(result["errors"]), result["errors"]
        print(f"vllm bench serve {backend}: {result['completed']} requests, no error")


def check_llm(program, daemon, folder):
    """Simon Willison's command line: its models are a YAML file."""
    (folder / "extra-openai-models.yaml").write_text(
        f"- {{model_id: tern, model_name: tern-stories, api_base: 'http://{daemon.http}/v1'}}\n")
    env = {"LLM_USER_PATH": str(folder)}
    command = (program, "-m", "tern", "--key", "none", "-o", "temperature", "0", "-o", "max_tokens", "30")
    question = "How many legs does a spider have?"
    whole = run(*command, "--no-stream", question, env=env)
    assert whole.strip(), "an empty answer"
    assert run(*command, question, env=env) == whole
    assert run(*command, "--continue", "And a cat?", env=env).strip()  # the conversation goes back
    print("llm: whole, streamed and continued")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--guidellm")
    parser.add_argument("--vllm")
    parser.add_argument("--clients", type=pathlib.Path)
    options = parser.parse_args()
    with Daemon(http="127.0.0.1:0") as daemon, tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if options.clients:
            with Daemon("--chat-template", str(HERE / "tools.jinja"), http="127.0.0.1:0") as with_tools:
                print(run(options.clients / "python", HERE / "clients_libraries.py", f"http://{daemon.http}/v1",
                          f"http://{with_tools.http}/v1"), end="")
            check_llm(options.clients / "llm", daemon, folder)
        if options.guidellm:
            check_guidellm(options.guidellm, daemon, folder)
        if options.vllm:
            check_vllm(options.vllm, daemon, folder)
        daemon.wait_idle()
        assert daemon.process.poll() is None


if __name__ == "__main__":
    sys.exit(main())
