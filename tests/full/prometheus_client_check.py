"""Prometheus' own Python client against /metrics of a real ternd. Run by prometheus.sh.

usage: prometheus_client_check.py [FILE]   reads FILE in place of a daemon's metrics
"""
import pathlib
import sys

from prometheus_client.parser import text_string_to_metric_families

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

# Every label there may be; None: told by the server's own configuration.
CLOSED = {
    "class": {"system", "interactive", "default", "bulk"},
    "finish": {"stop_eos", "stop_token", "stop_string", "length", "mixed", "failed", "refused"},
    "phase": {"prefill", "decode"}, "state": {"used", "cached", "free", "loading", "serving", "draining", "stuck"},
    "where": {"admission", "queue", "generation"}, "finished_reason": {"stop", "length", "abort", "error"},
    "engine": {"0"}, "code": None, "reason": None, "le": None, "stage": None, "version": None, "model": None,
    "architecture": None, "quant": None, "model_name": None, "block_size": None, "num_blocks": None,
    "num_gpu_blocks": None, "bytes_per_token": None,
}


def check(text):
    families = list(text_string_to_metric_families(text))
    names = [f.name for f in families]
    assert len(names) == len(set(names)), "a family comes twice"
    for family in families:
        assert family.type in ("counter", "gauge", "histogram") and family.documentation, family
        assert family.samples, family.name
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert label in CLOSED, (sample.name, label)
                assert CLOSED[label] is None or value in CLOSED[label], (sample.name, label, value)
            if label := sample.labels.get("reason") or sample.labels.get("code"):
                assert label == "other" or label.replace("_", "").isupper(), label
    kinds = {f.name: f.type for f in families}
    assert kinds["tern_requests"] == "counter" and kinds["tern_time_to_first_token_seconds"] == "histogram"
    assert kinds["tern_requests_waiting"] == "gauge" and kinds["vllm:num_requests_waiting"] == "gauge"
    print(f"{len(families)} families, {sum(len(f.samples) for f in families)} samples")


def main():
    if len(sys.argv) > 1:
        return check(pathlib.Path(sys.argv[1]).read_text())
    from harness import Daemon
    from metrics_test import SIMULATED, complete, get
    with Daemon(*SIMULATED, "--set", "metrics.compat=vllm", model=None, http="127.0.0.1:0") as daemon:
        for i in range(20):
            complete(daemon, prompt=f"hello {i}", max_tokens=i + 1)
            complete(daemon, prompt="x", model=f"no such {i}")
        check(get(daemon, "/metrics")[1])


if __name__ == "__main__":
    main()
