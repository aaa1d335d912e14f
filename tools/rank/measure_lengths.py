#!/usr/bin/env python3
"""Turns prompts into training data for a ranker: asks a running server and keeps how long each answer is.

    measure_lengths.py --server http://127.0.0.1:8080 --prompts P.jsonl --out F.jsonl [--without T.jsonl --max-tokens N --jobs N]

P.jsonl has lines {"prompt", ...}; F.jsonl gets {"prompt", "length"} in the same order: the tokens of the greedy answer
through the chat template, the closing token included, as the server's `usage.completion_tokens` counts them. A prompt
that stands twice is asked and kept once, so that no fold holds a copy of what another was trained on; --without leaves out those of
another file, such as the one that was trained on.
"""
import argparse
import concurrent.futures
import json
import sys
import urllib.error
import urllib.request


def measure(server, prompt, max_tokens):
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0}
    if max_tokens:
        body["max_tokens"] = max_tokens
    request = urllib.request.Request(f"{server}/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=600) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as refusal:
        sys.exit(f"{server} refused {prompt[:80]!r}: {refusal.read().decode(errors='replace')}")
    return answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"] == "length"


def read_prompts(path):
    """The prompts of a file, each once, in its order."""
    with open(path, encoding="utf-8") as lines:
        return list(dict.fromkeys(json.loads(line)["prompt"] for line in lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="address of the HTTP API")
    parser.add_argument("--prompts", required=True, help="lines of {prompt}")
    parser.add_argument("--out", required=True)
    parser.add_argument("--without", help="lines of {prompt} that are not asked")
    parser.add_argument("--max-tokens", type=int, default=0, help="of an answer; 0: what the context leaves")
    parser.add_argument("--jobs", type=int, default=32, help="requests at a time")
    options = parser.parse_args()
    prompts = read_prompts(options.prompts)
    if options.without:
        known = set(read_prompts(options.without))
        prompts = [prompt for prompt in prompts if prompt not in known]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        measured = list(pool.map(lambda p: measure(options.server, p, options.max_tokens), prompts))
    lengths = [length for length, _ in measured]
    with open(options.out, "w", encoding="utf-8") as out:
        for prompt, length in zip(prompts, lengths):
            out.write(json.dumps({"prompt": prompt, "length": length}, ensure_ascii=False) + "\n")
    print(f"{len(prompts)} prompts, {sum(lengths) / len(lengths):.1f} tokens an answer, "
          f"{sum(cut for _, cut in measured)} cut", file=sys.stderr)


if __name__ == "__main__":
    main()
