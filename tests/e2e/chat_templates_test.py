"""Chat templates of a real model directory: named ones, content in parts, special tokens, and one that is broken."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import BIN, MODEL, Daemon
from http_test import call, error, post

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CHAT = "/v1/chat/completions"


def make_model(folder, config, **files):
    """The bundled model with another tokenizer_config.json and further files."""
    model = pathlib.Path(folder) / "model"
    model.mkdir()
    for file in MODEL.iterdir():
        if file.name not in ("tokenizer_config.json", *files):
            os.symlink(file, model / file.name)
    for name, content in {"tokenizer_config.json": config, **files}.items():
        (model / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return model


def prompt(daemon, **body):
    ids = post(daemon, "/tokenize", **body)["tokens"]
    return post(daemon, "/detokenize", tokens=ids, skip_special_tokens=False)["prompt"]


def by_command(model, folder, tools):
    (folder / "m.json").write_text(json.dumps([USER]))
    (folder / "t.json").write_text(json.dumps([TOOL]))
    command = [BIN / "tern", "template", "--model", model, "--messages", folder / "m.json", "--json"]
    command += ["--tools", folder / "t.json"] if tools else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["text"]


def test_named_templates(folder):
    config = {"chat_template": [
        {"name": "default", "template": "{{ sep_token }}D{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"},
        {"name": "tool_use", "template": "T{% for t in tools %}{{ t.function.name }};{% endfor %}{{ messages[0].content }}"}]}
    model = make_model(folder, config, **{"special_tokens_map.json": {"sep_token": "<|end|>"}})
    with Daemon(model=model, http="127.0.0.1:0") as daemon:
        assert prompt(daemon, messages=[USER]) == by_command(model, folder, False) == "<|end|>D<user>Hi"
        parts = [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}]
        assert prompt(daemon, messages=parts) == "<|end|>D<user>AB"
        assert prompt(daemon, messages=[USER], tools=[TOOL]) == by_command(model, folder, True) == "Tf;Hi"
        assert prompt(daemon, messages=[USER], tools=[TOOL], tool_choice="none") == "<|end|>D<user>Hi"
        post(daemon, CHAT, messages=[USER], tools=[TOOL], max_tokens=1)
        for name in ("messages", "tools", "add_generation_prompt"):
            refused, _ = error(daemon, 400, CHAT, {"messages": [USER], "chat_template_kwargs": {name: True}})
            assert refused["param"] == f"chat_template_kwargs.{name}", refused


def test_continued_message(folder):
    answer = {"role": "assistant", "content": "Once upon a"}
    with Daemon(http="127.0.0.1:0") as daemon:
        text = prompt(daemon, messages=[USER, answer], continue_final_message=True)
        assert text.endswith("<|assistant|>Once upon a"), text
        post(daemon, CHAT, messages=[USER, answer], continue_final_message=True, max_tokens=2)
        both = {"messages": [USER, answer], "continue_final_message": True, "add_generation_prompt": True}
        refused, _ = error(daemon, 400, CHAT, both)
        assert refused["param"] == "continue_final_message", refused


def test_broken_template(folder):
    model = make_model(folder, {"chat_template": "{% if %}"})
    with Daemon(model=model, http="127.0.0.1:0") as daemon:
        assert "chat requests will be refused" in daemon.log() and "line 1" in daemon.log(), daemon.log()
        refused, _ = error(daemon, 400, CHAT, {"messages": [USER]})
        assert "line 1" in refused["message"] and refused["reason"] == "FEATURE_DISABLED", refused
        assert post(daemon, "/v1/completions", prompt="Once upon", max_tokens=2)["choices"][0]["text"]


def test_tags_that_are_special(folder):
    """The tokenizer's <|pad|> becomes <tool_call>: shown to the parser, hidden where there is no call."""
    name = next(t for t in json.loads((MODEL / "tokenizer.json").read_text())["added_tokens"] if t["special"])
    tokenizer = (MODEL / "tokenizer.json").read_text().replace(f'"{name["content"]}"', '"<tool_call>"')
    template = "{{ tools | tojson if tools }}{{ messages[0].content }}"
    model = make_model(folder, {"chat_template": template}, **{"tokenizer.json": tokenizer})
    body = {"messages": [USER], "tools": [TOOL], "max_tokens": 1, "allowed_token_ids": [name["id"]]}
    with Daemon(model=model, http="127.0.0.1:0") as daemon:
        content = lambda **more: post(daemon, CHAT, **body, **more)["choices"][0]["message"]["content"]
        assert content() == ""
        assert content(skip_special_tokens=False) == "<tool_call>"


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            folder = pathlib.Path(tempfile.mkdtemp())
            try:
                test(folder)
            finally:
                shutil.rmtree(folder)
            print(name, "ok", flush=True)


if __name__ == "__main__":
    main()
