"""Writes tests/data/templates/conversations.json: model directories with chat templates and special tokens, and the
prompts that transformers makes of conversations with them.

    pip install transformers==5.24.0 jinja2==3.1.6
    python make_conversation_vectors.py ../../data/templates/conversations.json
"""
import json
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

USER = [{"role": "user", "content": "AB"}]
CHAT = USER + [{"role": "assistant", "content": "Once upon"}]
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "g"}}
NEEDS_TOOLS = "{% for t in tools %}{{t.function.name}};{% endfor %}{{messages[0].content}}"
TOKENS = "".join("{{%s}}|" % t for t in ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "image_token", "boi_token"])
CHATML = "{% for m in messages %}<{{m.role}}>{{m.content}}</{{m.role}}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
TRIMMED = "{% for m in messages %}<{{m.role}}>{{m.content | trim}}</{{m.role}}>{% endfor %}"
PARTS = "{% for m in messages %}<{{m.role}}>{% for p in m.content %}{% if p.type == 'text' %}{{p.text}}{% endif %}{% endfor %}{% endfor %}"
EITHER = ("{% for m in messages %}<{{m.role}}>{% if m.content is string %}{{m.content}}{% else %}{% for p in m['content'] %}[{{p['text']}}]{% endfor %}"
          "{% endif %}{% endfor %}")
DOCUMENTS = "{% for d in documents or [] %}{{d | tojson}}{% endfor %}{{messages[0].content}}"


def config(**members):
    return {"tokenizer_class": "PreTrainedTokenizerFast", **members}


def added(content):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}


def named(**templates):
    return [{"name": name, "template": text} for name, text in templates.items()]


def case(name, files, messages=USER, **options):
    return {"name": name, "files": files, "messages": messages, "options": options}


def cases():
    one = lambda template, **members: {"tokenizer_config.json": config(chat_template=template, **members)}
    both = {"tokenizer_config.json": config(chat_template=named(default="D{{messages[0].content}}", tool_use="T" + NEEDS_TOOLS))}
    yield case("a template that needs tools", one(NEEDS_TOOLS), tools=[TOOL, OTHER])
    yield case("it prints none where there are none", one("{% for t in tools or [] %}{{t.function.name}}{% endfor %}{{messages[0].content}}"))
    yield case("named: default", both)
    yield case("named: tool_use", both, tools=[TOOL])
    yield case("named: no tools offered", both, tools=[])
    yield case("named: default alone", one(named(default=NEEDS_TOOLS)), tools=[TOOL])
    yield case("named: no default", one(named(tool_use=NEEDS_TOOLS, rag="R")))
    yield case("named: no default, tools", one(named(tool_use=NEEDS_TOOLS, rag="R")), tools=[TOOL])
    yield case("named: an object", one({"default": "D", "tool_use": "T{{tools|length}}"}), tools=[TOOL])
    files = {"chat_template.jinja": "F{{messages[0].content}}", "additional_chat_templates/tool_use.jinja": "FT" + NEEDS_TOOLS}
    yield case("files: default", {**files, **both})
    yield case("files: tool_use", {**files, **both}, tools=[TOOL])
    yield case("files: the default one alone", {"chat_template.jinja": files["chat_template.jinja"] + NEEDS_TOOLS, **both}, tools=[TOOL])
    yield case("files: additional ones alone", {"additional_chat_templates/tool_use.jinja": "FT" + NEEDS_TOOLS, **both}, tools=[TOOL])
    yield case("files: additional ones alone have no default", {"additional_chat_templates/tool_use.jinja": "FT", **both})
    yield case("files: the default one among the additional ones", {"additional_chat_templates/default.jinja": "AD{{messages[0].content}}", **both})

    yield case("tokens of the configuration", one(TOKENS, bos_token="<s>", eos_token=added("</s>"), pad_token=None, mask_token="<mask>"))
    special = {"bos_token": "<b>", "eos_token": added("<e>"), "unk_token": "<u>", "sep_token": "<sep>", "pad_token": "<p>", "cls_token": "<cls>", "mask_token": "<mask>", "image_token": "<image>"}
    yield case("tokens of the map alone", {**one(TOKENS), "special_tokens_map.json": special})
    yield case("tokens of the map stand before those of the configuration", {**one(TOKENS, bos_token="<s>", unk_token="<unk>"), "special_tokens_map.json": {"bos_token": "<b>"}})
    yield case("tokens of a configuration that lists all", {**one(TOKENS, bos_token="<s>", added_tokens_decoder={"0": added("<s>")}), "special_tokens_map.json": {"bos_token": "<b>"}})
    yield case("tokens of one model", one(TOKENS, image_token="<image>", extra_special_tokens={"boi_token": "<boi>"}))
    yield case("tokens of one model in an object", one(TOKENS, model_specific_special_tokens={"boi_token": "<boi>", "image_token": "<i>"}))
    yield case("a token that is not set is undefined", one("{{ bos_token is defined }}{{ eos_token is defined }}", bos_token=None))
    yield case("a variable stands before a token", one(TOKENS, bos_token="<s>"), bos_token="<mine>")

    yield case("content of parts", one(PARTS), [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}])
    yield case("content of parts, where strings are known", one(EITHER), [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}])
    yield case("content as a string, where parts are known", one(EITHER))
    yield case("documents", one(DOCUMENTS), documents=[{"title": "t", "body": "x"}, {"z": 1, "a": 2}])
    yield case("documents must be objects", one(DOCUMENTS), documents=["x"])
    yield case("reasoning effort", one("{{reasoning_effort}}:{{messages[0].content}}"), reasoning_effort="high")

    go_on = {"continue_final_message": True}
    yield case("continued", one(CHATML), CHAT, **go_on)
    yield case("continued from the middle of a word", one(CHATML), USER + [{"role": "assistant", "content": "Once up "}], **go_on)
    yield case("continued where the template trims", one(TRIMMED), USER + [{"role": "assistant", "content": "  Once upon \n"}], **go_on)
    yield case("continued where the text stands twice", one(CHATML), [{"role": "user", "content": "ha"}, {"role": "assistant", "content": "ha"}], **go_on)
    yield case("continued user", one(CHATML), USER, **go_on)
    yield case("continued, empty", one(CHATML), USER + [{"role": "assistant", "content": ""}], **go_on)
    yield case("continued parts", one(PARTS), [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B "}]}], **go_on)
    yield case("continued, and a prompt for an answer", one(CHATML), CHAT, add_generation_prompt=True, **go_on)
    yield case("continued, but left out", one("{% for m in messages[:-1] %}{{m.content}}{% endfor %}"), CHAT, **go_on)
    yield case("continued, but changed", one("{% for m in messages %}{{m.content | upper}}{% endfor %}"), CHAT, **go_on)
    yield case("continued, without content", one(CHATML), USER + [{"role": "assistant"}], **go_on)


def tokenizer_json(folder):
    vocab = {"<s>": 0, "</s>": 1, "<unk>": 2, "a": 3}
    text = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}}
    (folder / "tokenizer.json").write_text(json.dumps(text))


def render(one):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer_json(folder)
        for path, content in one["files"].items():
            file = folder / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        options = {"add_generation_prompt": not one["options"].get("continue_final_message"), **one["options"]}
        return tokenizer.apply_chat_template(one["messages"], tokenize=False, **options)


def main(out_file):
    out = []
    for one in cases():
        try:
            out.append({**one, "text": render(one)})
        except Exception as e:
            out.append({**one, "error": f"{type(e).__name__}: {e}"})
    Path(out_file).write_text(json.dumps(out, ensure_ascii=False, indent=0) + "\n")
    for one in out:
        print(one["name"], "->", repr(one.get("text", one.get("error"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
