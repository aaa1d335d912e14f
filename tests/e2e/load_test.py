"""A start of ternd: its memory against its plan, its progress, and how it ends when told to while it loads."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from harness import BIN, MODEL, Daemon

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "intermediate_size": 4096,
    "num_hidden_layers": 6, "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 32000,
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
}


def make_model(root, **changes):
    """A random checkpoint, large enough that its weights outweigh the process."""
    config = pathlib.Path(root) / "config.json"
    config.write_text(json.dumps(CONFIG | changes))
    out = pathlib.Path(root) / "model"
    subprocess.run([str(BIN / "tern"), "make-random", "--config", config, "--out", out, "--seed", "1"], check=True,
                   capture_output=True, timeout=120)
    return out


def plan_of(log):
    """MiB that the plan takes, and that the process had before it."""
    plan = re.search(r"memory plan: weights [\d.]+ MiB \+ KV cache [\d.]+ MiB .* = ([\d.]+) MiB, "
                     r"beside ([\d.]+) MiB of the process", log)
    assert plan, log
    return float(plan.group(1)), float(plan.group(2))


def is_sanitized():
    """Sanitizers keep memory of their own beside the program's."""
    binary = (BIN / "ternd").read_bytes()
    return any(name in binary for name in (b"__asan_init", b"__tsan_init"))


def memory_mib(daemon, key):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(key + r":\s+(\d+) kB", status).group(1)) / 1024


def test_memory_is_as_planned():  # [EC-23]
    if is_sanitized():
        return print("not looked at: the memory of a sanitized build")
    for tied in (True, False):
        with tempfile.TemporaryDirectory() as root:
            model = make_model(root, tie_word_embeddings=tied)
            with Daemon("--set", "engine.kv_cache_bytes=256MiB", "--set", "model.max_model_len=4096",
                        model=model) as daemon:
                planned = sum(plan_of(daemon.log()))
                deadline = time.time() + 60
                while memory_mib(daemon, "VmRSS") < 0.97 * planned and time.time() < deadline:
                    time.sleep(0.02)
                for key in ("VmRSS", "VmHWM"):
                    taken = memory_mib(daemon, key)
                    assert abs(taken - planned) < 0.03 * planned, f"{key} {taken} MiB, planned {planned}\n{daemon.log()}"


def test_kv_cache_of_no_given_size_is_taken_as_it_is_used():
    if is_sanitized():
        return print("not looked at: the memory of a sanitized build")
    with Daemon("--set", "scheduler.max_num_seqs=256") as daemon:
        plan = re.search(r"KV cache ([\d.]+) MiB", daemon.log())
        kv = float(plan.group(1))
        assert kv > 200, daemon.log()
        time.sleep(1)  # nobody takes it in the background
        idle = memory_mib(daemon, "VmRSS")
        assert idle < kv / 2, f"{idle} MiB resident, of them nothing of the {kv} MiB of KV is used"
        done = daemon.tern("generate", "--prompt", "Once upon a time", "--max-tokens", "200", "--ignore-eos")
        assert done.returncode == 0, done.stderr
        assert memory_mib(daemon, "VmRSS") < kv, daemon.log()


def test_stages_are_logged():
    with Daemon() as daemon:
        stages = re.search(r"loaded: config [\d.]+ s, tokenizer [\d.]+ s, weights [\d.]+ s \([\d.]+ GB, [\d.]+ GB/s\), "
                           r"memory [\d.]+ s, warm-up [\d.]+ s", daemon.log())
        assert stages, daemon.log()


def test_more_than_there_is():
    done = subprocess.run([str(BIN / "ternd"), "--model", str(MODEL), "--listen", "127.0.0.1:0", "--http", "off", "--set",
                           "engine.kv_cache_bytes=60TiB"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done
    for word in ("weights", "KV cache", "workspace", "available", "kv_cache_bytes of", "fits"):
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"


def test_sigterm_while_loading():
    with tempfile.TemporaryDirectory() as root:
        with tempfile.TemporaryDirectory() as sockets:
            daemon = Daemon(model=make_model(root), listen=f"unix:{sockets}/s")
            while "loading" not in daemon.log():
                time.sleep(0.001)
            daemon.process.send_signal(signal.SIGSTOP)  # the rest does not depend on who is quicker
            assert "ternd ready" not in daemon.log(), daemon.log()
            daemon.process.send_signal(signal.SIGTERM)
            daemon.process.send_signal(signal.SIGCONT)
            assert daemon.process.wait(10) == 0, daemon.log()
            log = daemon.log()
            assert "stopped while loading" in log and "ternd ready" not in log, log
            daemon.__exit__()


def main():
    for test in (test_memory_is_as_planned, test_kv_cache_of_no_given_size_is_taken_as_it_is_used,
                 test_stages_are_logged, test_more_than_there_is, test_sigterm_while_loading):
        test()
        print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
