"""What an answer holds to its last token: ids, log-probabilities, offsets, text and the reason of its end, over HTTP
and gRPC, whole and streamed, whatever ends it."""
import concurrent.futures
import json
import random

from harness import MODEL, Daemon
from http_test import SPIDER, error, post, stream

EOS, HOW, LEGS = 2, 927, 892  # <|end|>, "How", " legs"
ANSWER = "A spider has eight legs."
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


def spider_ids(daemon):
    """The prompt whose greedy answer is ANSWER."""
    return post(daemon, "/tokenize", messages=[{"role": "user", "content": SPIDER}])["tokens"]


def joined(chunks):
    """A completion's choices, put together of a stream's chunks."""
    choices = {}
    for chunk in chunks:
        for part in chunk["choices"]:
            whole = choices.setdefault(part["index"], {"text": "", "logprobs": {}, "token_ids": []})
            assert "finish_reason" not in whole, "nothing comes after the end"
            whole["text"] += part["text"]
            whole["token_ids"] += part.get("token_ids", [])
            for key, values in (part["logprobs"] or {}).items():
                whole["logprobs"].setdefault(key, []).extend(values)
            if part["finish_reason"]:
                whole |= {"finish_reason": part["finish_reason"], "stop_reason": part["stop_reason"]}
    return [choices[i] for i in sorted(choices)]


def complete(daemon, **body):
    """The choices of a completion, which its stream repeats."""
    body = {"temperature": 0, "seed": 1, "logprobs": 1, "return_token_ids": True, **body}
    answer = post(daemon, COMPLETIONS, **body)
    chunks = stream(daemon, COMPLETIONS, **body, stream_options={"include_usage": True})
    assert {**chunks[-1]["usage"], "prompt_tokens_details": 0} == {**answer["usage"], "prompt_tokens_details": 0}
    for whole, streamed in zip(answer["choices"], joined(chunks[:-1]), strict=True):
        for key, value in streamed.items():
            assert whole[key] == value, (key, whole[key], value)
        lengths = {len(values) for values in whole["logprobs"].values()}
        assert len(lengths) == 1, whole["logprobs"]
        num_prompt = len(whole["prompt_token_ids"]) if body.get("echo") else 0
        assert lengths == {num_prompt + len(whole["token_ids"])}
    assert sum(len(c["token_ids"]) for c in answer["choices"]) == answer["usage"]["completion_tokens"]
    return answer["choices"]


def test_ends(daemon):
    prompt = spider_ids(daemon)
    eos, = complete(daemon, prompt=prompt)
    assert (eos["text"], eos["finish_reason"], eos["stop_reason"]) == (ANSWER, "stop", None)
    assert eos["token_ids"][-1] == EOS and eos["logprobs"]["tokens"][-1] == "<|end|>"
    assert "".join(eos["logprobs"]["tokens"][:-1]) == ANSWER

    stop_token, = complete(daemon, prompt=prompt, stop_token_ids=[LEGS])
    assert (stop_token["text"], stop_token["stop_reason"]) == ("A spider has eight", LEGS)
    assert stop_token["token_ids"][-1] == LEGS and stop_token["logprobs"]["tokens"][-1] == " legs"
    shown, = complete(daemon, prompt=prompt, stop_token_ids=[LEGS], include_stop_str_in_output=True)
    assert (shown["text"], shown["stop_reason"]) == ("A spider has eight legs", LEGS)
    spelt, = complete(daemon, prompt=prompt, include_stop_str_in_output=True, skip_special_tokens=False)
    assert (spelt["text"], spelt["stop_reason"]) == (ANSWER + "<|end|>", None)

    cut, = complete(daemon, prompt=prompt, stop=[" eight le"], echo=True)
    assert cut["text"] == SPIDER + "A spider has" and cut["stop_reason"] == " eight le"
    assert cut["token_ids"][-1] == LEGS
    exact, = complete(daemon, prompt=prompt, max_tokens=len(eos["token_ids"]))
    assert exact["token_ids"] == eos["token_ids"] and exact["finish_reason"] == "stop"
    short, = complete(daemon, prompt=prompt, max_tokens=len(eos["token_ids"]) - 1)
    assert (short["text"], short["finish_reason"]) == (ANSWER, "length") and EOS not in short["token_ids"]
    ignoring, = complete(daemon, prompt=prompt, ignore_eos=True, max_tokens=20)
    assert EOS in ignoring["token_ids"][:-1] and len(ignoring["token_ids"]) == 20
    later, = complete(daemon, prompt=prompt, min_tokens=12, max_tokens=30)
    assert EOS not in later["token_ids"][:12]
    assert len(complete(daemon, prompt=[prompt, prompt, [1, 3, HOW]], n=2, temperature=1, max_tokens=40)) == 6


def test_scoring(daemon):
    """As evaluation harnesses ask: the prompt with its continuation, and one token more."""
    ids = spider_ids(daemon) + post(daemon, "/tokenize", prompt=ANSWER)["tokens"]
    scored, = complete(daemon, prompt=ids, echo=True, max_tokens=1)
    assert scored["text"] == SPIDER + ANSWER
    assert scored["logprobs"]["tokens"][-1] == "<|end|>" and scored["logprobs"]["token_logprobs"][-1] > -0.1
    alone, = complete(daemon, prompt=ids, echo=True, max_tokens=0)
    for key, values in alone["logprobs"].items():
        assert values == scored["logprobs"][key][:-1], key
    # As long as the context.
    rng = random.Random(3)
    long = [1] + [rng.randrange(7, 2048) for _ in range(1023)]
    whole, = complete(daemon, prompt=long, echo=True, max_tokens=0)
    assert len(whole["logprobs"]["token_logprobs"]) == 1024 and whole["token_ids"] == []
    error(daemon, 400, COMPLETIONS, {"prompt": long, "echo": True, "max_tokens": 1})
    error(daemon, 400, COMPLETIONS, {"prompt": long + [7], "echo": True, "max_tokens": 0})


def test_offsets(daemon):
    plain, = complete(daemon, prompt="Once upon a time", max_tokens=2)
    assert plain["logprobs"]["text_offset"] == [16, 16 + len(plain["logprobs"]["tokens"][0])]
    ids, = complete(daemon, prompt=[1, 3, HOW], echo=True, max_tokens=1)
    assert ids["text"].startswith("How") and ids["logprobs"]["text_offset"] == [0, 0, 0, 3]
    # Every token that the text shows stands where its offset says.
    for prompt in ("<|user|>Ein Käse für 5 €, 日本語 🎈!<|end|>", "naïve", SPIDER):
        for more in ({}, {"skip_special_tokens": False}):
            choice, = complete(daemon, prompt=prompt, echo=True, temperature=1, max_tokens=8, ignore_eos=True,
                               **more)
            assert choice["text"].startswith(prompt)
            logprobs = choice["logprobs"]
            last = 0
            for token, offset in zip(logprobs["tokens"], logprobs["text_offset"], strict=True):
                assert last <= offset <= len(choice["text"])
                is_hidden = token.startswith("<|") and offset >= len(prompt) and not more
                if not token.startswith("bytes:") and not is_hidden:
                    assert choice["text"][offset:offset + len(token)] == token, (token, offset, choice["text"])
                last = offset


def test_min_tokens(daemon):
    messages = [{"role": "user", "content": SPIDER}]
    for min_tokens, text, reason in ((2, "A spider", " has"), (3, ANSWER, None), (6, ANSWER, None)):
        choice = post(daemon, CHAT, messages=messages, temperature=0, stop=[" has"], min_tokens=min_tokens)["choices"][0]
        assert (choice["message"]["content"], choice["stop_reason"]) == (text, reason), (min_tokens, choice)


def test_chat(daemon):
    body = {"messages": [{"role": "user", "content": SPIDER}], "temperature": 0, "logprobs": True,
            "return_token_ids": True}
    for more, text in (({}, ANSWER), ({"stop_token_ids": [LEGS]}, "A spider has eight"),
                       ({"stop_token_ids": [LEGS], "include_stop_str_in_output": True}, "A spider has eight legs")):
        choice = post(daemon, CHAT, **body, **more)["choices"][0]
        assert choice["message"]["content"] == text
        assert "".join(token["token"] for token in choice["logprobs"]["content"]) == text
        assert choice["token_ids"][-1] == (LEGS if more else EOS)
        parts = [chunk["choices"][0] for chunk in stream(daemon, CHAT, **body, **more)]
        content = [token for part in parts if part["logprobs"] for token in part["logprobs"]["content"]]
        assert content == choice["logprobs"]["content"]
        assert sum((part.get("token_ids", []) for part in parts), []) == choice["token_ids"]


def test_grpc(daemon):
    for more, last in (([], EOS), (["--stop-token-ids", str(LEGS)], LEGS), (["--stop", " eight le"], LEGS)):
        for unary in ([], ["--unary"]):
            answer = daemon.json("generate", "--prompt", SPIDER, "--temperature", "0", "--logprobs", "0", *more, *unary)
            assert answer["token_ids"][-1] == last, answer
            assert [token["token_id"] for token in answer["logprobs"]] == answer["token_ids"]
            assert len(answer["token_ids"]) == answer["usage"]["completion_tokens"]


def test_in_company(daemon):
    """The same answers, to the last digit, at once and alone."""
    tasks = [json.loads(line)["prompt"] for line in (MODEL / "tasks.jsonl").read_text().splitlines()[:24]]
    prompts = [f"<|bos|><|user|>{task}<|end|><|assistant|>" for task in tasks]

    def one(prompt):
        return post(daemon, COMPLETIONS, prompt=prompt, temperature=0, logprobs=1, max_tokens=60, echo=True)["choices"]
    alone = [one(prompt) for prompt in prompts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, prompts)) == alone
    ended = sum(choices[0]["logprobs"]["tokens"][-1] == "<|end|>" for choices in alone)
    assert ended == sum(choices[0]["finish_reason"] == "stop" for choices in alone) > 12


def main():
    with Daemon(http="127.0.0.1:0") as daemon:
        for test in (test_ends, test_scoring, test_offsets, test_min_tokens, test_chat, test_grpc, test_in_company):
            test(daemon)
            print(f"{test.__name__}: ok", flush=True)
        daemon.wait_idle()


if __name__ == "__main__":
    main()
