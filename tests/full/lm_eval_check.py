"""lm-evaluation-harness on the bundled model: its `hf` backend (PyTorch, float32) against its `local-completions`
backend with ternd. Every log-likelihood within 0.01, the same choices, the same texts. Nothing is downloaded: the
tasks are made of models/tern-stories."""
import json
import os
import pathlib
import sys
import tempfile

# One thread: the model is small, and threads that spin for each other are slow on a busy machine.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import lm_eval  # noqa: E402
import transformers  # noqa: E402
from harness import MODEL, Daemon  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

TOLERANCE = 0.01
CONTEXT = 1024
NUM_QUESTIONS, NUM_CONTINUATIONS, NUM_GENERATED = 120, 80, 40


def chat(prompt):
    return f"<|bos|><|user|>{prompt}<|end|><|assistant|>"


def questions():
    """A right answer, behind which the model ends, and the answers to other questions of the kind."""
    kinds = {}
    for line in (MODEL / "tasks.jsonl").read_text().splitlines():
        item = json.loads(line)
        kinds.setdefault(item["task"], []).append(item)
    items = []
    for of_kind in kinds.values():
        for i, item in enumerate(of_kind):
            others = [other["answer"] for other in of_kind[i + 1:] + of_kind[:i] if other["answer"] != item["answer"]]
            items.append({"prompt": chat(item["prompt"]), "choices": [item["answer"], *others[:2]]})
    return items[::len(items) // NUM_QUESTIONS][:NUM_QUESTIONS]


def stories():
    return [story.strip() for story in (MODEL / "eval.txt").read_text().split("\n\n") if story.strip()]


def continuations():
    """A story's last words; half of them to the end of the answer, where the model ends."""
    items = []
    for i, story in enumerate(stories()):
        words = story.split(" ")
        at = len(words) - 1 - i % 12
        last = len(words) if i % 2 else len(words) - 1
        items.append({"prompt": chat("Tell me a story.") + " ".join(words[:at]),
                      "continuation": " " + " ".join(words[at:max(last, at + 1)])})
    return items[:NUM_CONTINUATIONS]


def tasks(folder):
    documents = stories()
    data = {
        "questions": questions(),
        "continuations": continuations(),
        # Short ones, and some of several windows.
        "rolling": [{"text": s} for s in documents[:12]] + [{"text": "\n\n".join(documents[i:i + 14])} for i in (0, 20)],
        "generate": [{"prompt": q["prompt"]} for q in questions()[::NUM_QUESTIONS // NUM_GENERATED]],
    }
    kinds = {
        "questions": "output_type: multiple_choice\ndoc_to_text: '{{prompt}}'\ndoc_to_choice: '{{choices}}'\n"
                     "doc_to_target: 0\ntarget_delimiter: ''\nmetric_list: [{metric: acc}]\n",
        "continuations": "output_type: loglikelihood\ndoc_to_text: '{{prompt}}'\ndoc_to_target: '{{continuation}}'\n"
                         "target_delimiter: ''\nmetric_list: [{metric: perplexity}]\n",
        "rolling": "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{text}}'\n"
                   "metric_list: [{metric: word_perplexity}]\n",
        "generate": "output_type: generate_until\ndoc_to_text: '{{prompt}}'\ndoc_to_target: ''\n"
                    "generation_kwargs: {until: ['.'], max_gen_toks: 64, do_sample: false}\n"
                    "metric_list: [{metric: exact_match}]\n",
    }
    for name, items in data.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
        (folder / f"{name}.yaml").write_text(
            f"task: tern_{name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}\n"
            f"test_split: test\n{kinds[name]}")
    return [f"tern_{name}" for name in data]


def measure(backend, model_args, names, folder):
    """By task: each document's answers, as the backend gave them."""
    out = lm_eval.simple_evaluate(model=backend, model_args=model_args, tasks=names, log_samples=True, bootstrap_iters=0,
                                  task_manager=TaskManager(include_path=str(folder)))
    return {name: [sample["resps"] for sample in sorted(out["samples"][name], key=lambda s: s["doc_id"])] for name in names}


def flatten(responses):
    if isinstance(responses, (list, tuple)) and responses and isinstance(responses[0], (list, tuple)):
        return [leaf for one in responses for leaf in flatten(one)]
    return [responses]


def likelihoods(answers):
    """(log-likelihood, is greedy) of each request; of a rolling one the first alone."""
    return [(float(a[0]), str(a[1]) if len(a) > 1 else None) for document in answers for a in flatten(document)]


def compare(reference, served, label):
    for name, answers in reference.items():
        if name == "tern_generate":
            assert served[name] == answers, [(a, b) for a, b in zip(answers, served[name]) if a != b]
            print(f"{label}: {name}: {len(answers)} texts equal")
            continue
        wanted, got = likelihoods(answers), likelihoods(served[name])
        assert len(wanted) == len(got) > 0
        largest = max(abs(a[0] - b[0]) for a, b in zip(wanted, got))
        print(f"{label}: {name}: {len(answers)} items, {len(got)} requests, largest difference {largest:.6f}")
        assert largest <= TOLERANCE, f"{name}: {largest} > {TOLERANCE}"
        differing = [i for i, (a, b) in enumerate(zip(wanted, got)) if a[1] != b[1]]
        assert not differing, f"{name}: requests {differing} are greedy to one of both only"


def check_that_ends_are_met(reference, folder):
    """The comparison would prove little, did no continuation stand before the end of an answer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32")
    num_ends = 0
    for item in questions():
        ids = tokenizer(item["prompt"] + item["choices"][0], add_special_tokens=False, return_tensors="pt").input_ids
        num_ends += int(model(ids).logits[0, -1].argmax()) == tokenizer.eos_token_id
    print(f"{num_ends} of {NUM_QUESTIONS} right answers are followed by the end of sequence")
    assert num_ends > NUM_QUESTIONS / 2


def main():
    with tempfile.TemporaryDirectory() as name, Daemon("--set", "model.compute=f32", http="127.0.0.1:0") as daemon:
        folder = pathlib.Path(name)
        names = tasks(folder)
        # local-completions keeps a token's room for the one that it asks for, and one for a rolling window's first.
        reference = measure("hf", {"pretrained": str(MODEL), "dtype": "float32", "device": "cpu", "max_length": CONTEXT - 2},
                            names, folder)
        check_that_ends_are_met(reference, folder)
        for concurrency, batch_size in ((1, 1), (8, 1), (8, 4)):
            served = measure("local-completions", {
                "model": MODEL.name, "base_url": f"http://{daemon.http}/v1/completions", "tokenizer": str(MODEL),
                "tokenizer_backend": "huggingface", "num_concurrent": concurrency, "batch_size": batch_size,
                "max_length": CONTEXT, "max_retries": 1}, names, folder)
            compare(reference, served, f"concurrency {concurrency}, batches of {batch_size}")
        daemon.wait_idle()


if __name__ == "__main__":
    sys.exit(main())
