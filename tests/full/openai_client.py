"""OpenAI's own Python client against the HTTP API of a real ternd. Run by openai.sh.

usage: openai_client.py [--model M] [--chat-template F]   TERN_BIN: the folder of the programs
"""
import argparse
import asyncio
import json
import pathlib
import sys

import openai

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import MODEL, Daemon  # noqa: E402

SPIDER = [{"role": "user", "content": "How many legs does a spider have?"}]
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def client_of(daemon, kind=openai.OpenAI):
    return kind(base_url=f"http://{daemon.http}/v1", api_key="none", max_retries=0, timeout=120)


def raised(kind, work):
    try:
        work()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def check_models(client, name):
    assert [m.id for m in client.models.list()] == [name]
    assert client.models.retrieve(name).owned_by == "tern"
    assert raised(openai.NotFoundError, lambda: client.models.retrieve("other")).code == "model_not_found"


def check_completions(client, name):
    args = dict(model=name, prompt="Once upon a time", max_tokens=24, seed=5, logprobs=3)
    whole = client.completions.create(**args)
    choice = whole.choices[0]
    assert choice.finish_reason == "length" and whole.usage.completion_tokens == 24
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 24
    assert "".join(choice.logprobs.tokens) == choice.text
    assert all(len(top) >= 3 for top in choice.logprobs.top_logprobs)
    chunks = list(client.completions.create(**args, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks[:-1]) == choice.text
    assert chunks[-1].usage == whole.usage or chunks[-1].usage.completion_tokens == 24
    again = client.completions.create(**args)
    assert again.choices[0].text == choice.text and again._request_id != whole._request_id
    several = client.completions.create(model=name, prompt=["A fox", "A cow"], n=2, max_tokens=4, temperature=1)
    assert [c.index for c in several.choices] == [0, 1, 2, 3]
    mine = client.completions.create(model=name, prompt="x", max_tokens=1, extra_headers={"X-Request-Id": "mine"})
    assert mine._request_id == "mine" and mine.id == "cmpl-mine"
    own = client.completions.create(model=name, prompt="x", max_tokens=3,
                                    extra_body={"top_k": 1, "ignore_eos": True, "return_token_ids": True})
    assert len(own.choices[0].token_ids) == 3


def check_chat(client, name):
    args = dict(model=name, messages=SPIDER, max_completion_tokens=20)
    whole = client.chat.completions.create(**args, temperature=0, logprobs=True, top_logprobs=2)
    message, entries = whole.choices[0].message, whole.choices[0].logprobs.content
    assert message.role == "assistant" and message.content
    assert len(entries[0].top_logprobs) == 2
    assert b"".join(bytes(e.bytes) for e in entries).decode().startswith(message.content)
    deltas = [c.choices[0] for c in client.chat.completions.create(**args, temperature=0, stream=True)]
    assert deltas[0].delta.role == "assistant"
    assert "".join(d.delta.content or "" for d in deltas) == message.content
    assert deltas[-1].finish_reason == whole.choices[0].finish_reason
    four = client.chat.completions.create(**args, n=4, temperature=1, seed=3)
    assert [c.index for c in four.choices] == [0, 1, 2, 3]
    by_index = {i: "" for i in range(4)}
    for chunk in client.chat.completions.create(**args, n=4, temperature=1, seed=3, stream=True):
        for choice in chunk.choices:
            by_index[choice.index] += choice.delta.content or ""
    assert list(by_index.values()) == [c.message.content for c in four.choices]
    # An answer goes back into the conversation as it came.
    client.chat.completions.create(**{**args, "messages": SPIDER + [message, {"role": "user", "content": "Thanks."}]})
    with client.chat.completions.stream(**args, temperature=0) as events:
        for _ in events:
            pass
        assert events.get_final_completion().choices[0].message.content == message.content


def check_abort(client, name, daemon):
    stream = client.completions.create(model=name, prompt="Once", max_tokens=900, stream=True,
                                       extra_body={"ignore_eos": True})
    next(iter(stream))
    assert daemon.used_blocks() > 0
    stream.close()
    daemon.wait_idle(10)
    late = raised(openai.InternalServerError, lambda: client.completions.create(
        model=name, prompt="Once", max_tokens=900, extra_body={"ignore_eos": True},
        extra_headers={"X-Request-Timeout-Ms": "50"}))
    assert late.status_code == 504 and late.body["reason"] == "GENERATION_TIMEOUT", late.body
    daemon.wait_idle(10)


def check_errors(client, name):
    def bad(**args):
        return raised(openai.BadRequestError,
                      lambda: client.chat.completions.create(**{"model": name, "messages": SPIDER, **args}))
    assert bad(temperature=3).param == "temperature"
    assert bad(max_tokens=10**6).code == "context_length_exceeded"
    assert bad(response_format={"type": "json_object"}).param == "response_format"
    assert bad(tools=[WEATHER], tool_choice="required").param == "tool_choice"
    assert bad(extra_body={"colour": "red"}).code == "UNKNOWN_FIELD"
    assert bad(messages=[]).param == "messages"
    unknown = raised(openai.NotFoundError, lambda: client.chat.completions.create(model="gpt", messages=SPIDER))
    assert unknown.code == "model_not_found" and unknown.param == "model"


async def check_many(daemon, name):
    """24 streams at once: each ends whole."""
    async with client_of(daemon, openai.AsyncOpenAI) as client:
        async def one(i):
            text = ""
            stream = await client.completions.create(model=name, prompt=f"Story {i}:", max_tokens=40, seed=1, stream=True,
                                                     extra_body={"ignore_eos": True})
            async for chunk in stream:
                text += chunk.choices[0].text
            assert chunk.choices[0].finish_reason == "length"
            return text
        texts = await asyncio.gather(*(one(i) for i in range(24)))
        assert await one(7) == texts[7]  # alone as in company


def tool_messages():
    """Some questions, each answered by a call: what a small model goes on with."""
    messages = []
    for i, city in enumerate(["Paris", "Rome", "Oslo", "Madrid", "London"]):
        call = {"id": f"call_{i}", "type": "function",
                "function": {"name": "get_weather", "arguments": json.dumps({"city": city})}}
        messages += [{"role": "user", "content": f"What is the weather in {city}?"},
                     {"role": "assistant", "content": None, "tool_calls": [call]}]
    return messages + [{"role": "user", "content": "What is the weather in Berlin?"}]


def check_tools(client, name, must_call):
    args = dict(model=name, messages=tool_messages(), tools=[WEATHER], temperature=0, max_tokens=60)
    choice = client.chat.completions.create(**args).choices[0]
    without = client.chat.completions.create(**{**args, "tool_choice": "none"}).choices[0]
    assert without.message.tool_calls is None
    text, calls, reason = "", [], None
    for chunk in client.chat.completions.create(**args, stream=True):
        text += chunk.choices[0].delta.content or ""
        calls += [(c.function.name, c.function.arguments) for c in chunk.choices[0].delta.tool_calls or []]
        reason = chunk.choices[0].finish_reason or reason
    assert text == (choice.message.content or "") and reason == choice.finish_reason
    assert calls == [(c.function.name, c.function.arguments) for c in choice.message.tool_calls or []]
    if must_call:
        assert reason == "tool_calls" and calls == [("get_weather", '{"city":"Berlin"}')], (text, calls)
        reply = {"role": "tool", "tool_call_id": choice.message.tool_calls[0].id, "content": "sunny"}
        client.chat.completions.create(**{**args, "messages": args["messages"] + [choice.message, reply]})
    return calls


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=str(MODEL), help="one that is not the bundled one must call the tool")
    parser.add_argument("--chat-template", default=str(HERE / "tools.jinja"), help="of the check of tools")
    options = parser.parse_args()
    print(f"openai {openai.__version__}")
    with Daemon(http="127.0.0.1:0") as daemon:
        client = client_of(daemon)
        name = client.models.list().data[0].id
        for check in (check_models, check_completions, check_chat, check_errors):
            check(client, name)
            print(f"{check.__name__}: ok")
        check_abort(client, name, daemon)
        print("check_abort: ok")
        asyncio.run(check_many(daemon, name))
        print("check_many: ok")
    with Daemon("--chat-template", options.chat_template, model=options.model, http="127.0.0.1:0") as daemon:
        client = client_of(daemon)
        calls = check_tools(client, client.models.list().data[0].id, must_call=options.model != str(MODEL))
        print(f"check_tools: ok, calls {calls}")


if __name__ == "__main__":
    main()
