"""Writes tests/data/tokenizers/config-tokens.json: tokenizers of model directories whose configuration adds tokens to
those of the tokenizer's own file, and what transformers makes of them.

    pip install transformers==5.24.0 jinja2==3.1.6 sentencepiece protobuf
    python make_config_token_vectors.py ../../data/tokenizers

The argument is the folder of tokenizers, out of which files are copied.
"""
import itertools
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

PIECES = ["<unk>", "a", "b", "c", "d", "\u0120", "ab", "abc", "A", "B", "<s>", "x", "</s>"]
MERGES = ["a b", "ab c"]
TEXTS = ["abcd", "<s> ab </s>", "a <new> b", "x<new>x <NEW>", "ab  <pad>  cd", "a<other>b <unk>", "abx xab x", "<|endoftext|> a<new> b"]
NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "image_token"]
CONTENTS = ["<s>", "</s>", "<new>", "<NEW>", "<pad>", "<other>", "ab", "x", "<unk>"]


def flags(content, **more):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True, **more}


def typed(content, **more):
    return {"__type": "AddedToken", **flags(content, **more)}


def tokenizer(added=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [{"id": i, **t} for i, t in added], "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": {p: i for i, p in enumerate(PIECES)}, "merges": MERGES, "unk_token": "<unk>"}}


def directory(config=None, added=((10, flags("<s>")), (12, flags("</s>"))), **files):
    out = {"tokenizer.json": tokenizer(added), "config.json": {"model_type": "llama"}}
    if config is not None:
        out["tokenizer_config.json"] = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    return {"files": {**out, **{name.replace("__", "."): content for name, content in files.items()}}}


def of_class(name, config, **files):
    vocab = {"files": {"vocab.json": {p: i for i, p in enumerate(PIECES)}, "merges.txt": "#version: 0.2\n" + "\n".join(MERGES) + "\n",
                       "config.json": {"model_type": "llama"}}}
    vocab["files"]["tokenizer_config.json"] = {"tokenizer_class": name, **config}
    vocab["files"].update({name.replace("__", "."): content for name, content in files.items()})
    return vocab


def sentencepiece(config, **files):
    out = {"files": {"config.json": {"model_type": "llama"}, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", **config}},
           "copied": ["sentencepiece-bpe/tokenizer.model"]}
    out["files"].update({name.replace("__", "."): content for name, content in files.items()})
    return out


def handmade():
    n = len(PIECES)
    listed = {"10": flags("<s>"), "12": flags("</s>")}
    yield "nothing added", directory({})
    yield "listed: one more", directory({"added_tokens_decoder": {**listed, str(n): flags("<new>")}})
    yield "listed: one more, not special", directory({"added_tokens_decoder": {**listed, str(n): flags("<new>", special=False)}})
    yield "listed: with a gap", directory({"added_tokens_decoder": {**listed, "40": flags("<other>"), "30": flags("<new>")}})
    yield "listed: with other flags", directory({"added_tokens_decoder": {"10": flags("<s>", lstrip=True, rstrip=True), "12": flags("</s>", special=False)}})
    yield "listed: a piece", directory({"added_tokens_decoder": {"6": flags("ab", special=False)}})
    yield "listed and named", directory({"added_tokens_decoder": {str(n): flags("<new>", special=False)}, "pad_token": "<new>", "bos_token": "<s>"})
    yield "named: new ones", directory({"bos_token": "<new>", "pad_token": "<pad>", "eos_token": "<other>"})
    yield "named: an object", directory({"mask_token": typed("<new>", lstrip=True, special=False)})
    yield "named: a piece", directory({"sep_token": "ab"})
    yield "named: null", directory({"bos_token": None, "eos_token": "</s>"})
    yield "named: one that is no special token of the file", directory({"eos_token": "<new>"}, added=((13, flags("<new>", special=False)),))
    yield "model-specific names", directory({"image_token": "<other>", "boi_token": "<new>", "pad_token": "<pad>"})
    yield "further: additional_special_tokens", directory({"additional_special_tokens": ["<new>", "<s>", "ab"]})
    yield "further: extra_special_tokens, a list", directory({"extra_special_tokens": ["<new>", typed("<other>", rstrip=True)]})
    yield "further: extra_special_tokens, an object", directory({"extra_special_tokens": {"z_token": "<new>", "a_token": "<other>"}})
    yield "further: both", directory({"extra_special_tokens": ["<new>"], "additional_special_tokens": ["<other>"]})
    yield "further: both, one an object", directory({"extra_special_tokens": {"z_token": "<new>"}, "additional_special_tokens": ["<other>"]})
    yield "the map alone", directory(None, special_tokens_map__json={"pad_token": "<pad>", "additional_special_tokens": ["<new>"]})
    yield "the map over the configuration", directory({"pad_token": "<pad>"}, special_tokens_map__json={"pad_token": flags("<new>", lstrip=True), "image_token": "<other>"})
    yield "the map beside a list", directory({"additional_special_tokens": ["<other>"]}, special_tokens_map__json={"additional_special_tokens": ["<new>"]})
    yield "the map adds to a list", directory({"extra_special_tokens": ["<other>"]}, special_tokens_map__json={"extra_special_tokens": ["<new>"]})
    yield "the map, where all are listed", directory({"added_tokens_decoder": listed}, special_tokens_map__json={"pad_token": "<pad>"})
    yield "the older list", directory({"pad_token": "<pad>"}, added_tokens__json={"<new>": n + 1, "<pad>": n})
    yield "the older list against the file", directory({}, added_tokens__json={"<new>": 10, "<other>": 99})
    yield "the older list, where all are listed", directory({"added_tokens_decoder": listed}, added_tokens__json={"<new>": n})
    for name in ("GPT2Tokenizer", "Qwen2Tokenizer"):
        yield name + ": nothing added", of_class(name, {})
        yield name + ": named", of_class(name, {"eos_token": "</s>", "pad_token": "<pad>", "bos_token": "<s>", "unk_token": "<unk>"})
        yield name + ": listed", of_class(name, {"added_tokens_decoder": {"20": flags("<new>"), "10": flags("<s>"), "15": flags("<other>", special=False)}})
        yield name + ": the older list", of_class(name, {"unk_token": "<unk>"}, added_tokens__json={"<new>": n + 1, "<other>": n})
        yield name + ": further", of_class(name, {"additional_special_tokens": ["<new>", "ab"]}, special_tokens_map__json={"pad_token": "<pad>"})
        yield name + ": the map's further ones", of_class(name, {}, special_tokens_map__json={"additional_special_tokens": ["<new>"]})
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    for legacy in ({}, {"legacy": True}, {"legacy": False}):
        yield f"SentencePiece: listed, {legacy}", sentencepiece({**named, **legacy, "added_tokens_decoder": {"0": flags("<unk>"), "1": flags("<s>"), "2": flags("</s>"), "5000": flags("<new>")}})
        yield f"SentencePiece: named, {legacy}", sentencepiece({**named, **legacy, "pad_token": "<pad>"})
    yield "SentencePiece: further", sentencepiece({**named, "additional_special_tokens": ["<new>"]})
    yield "SentencePiece: the older list", sentencepiece(named, added_tokens__json={"<new>": 5001, "<other>": 5000})
    yield "SentencePiece: the map", sentencepiece(named, special_tokens_map__json={"cls_token": "<new>", "additional_special_tokens": ["<other>"]})


def made_up(rng):
    for number in range(60):
        config = {}
        token = lambda: rng.choice(CONTENTS)
        some_flags = lambda: {k: rng.random() < 0.3 for k in ("lstrip", "rstrip", "special", "normalized")}
        for name in rng.sample(NAMES, rng.randrange(4)):
            config[name] = token() if rng.random() < 0.7 else typed(token(), **some_flags())
        if rng.random() < 0.4:
            config["added_tokens_decoder"] = {str(rng.randrange(20)): flags(token(), **some_flags()) for _ in range(rng.randrange(1, 5))}
        if rng.random() < 0.3:
            config[rng.choice(["additional_special_tokens", "extra_special_tokens"])] = [token() for _ in range(rng.randrange(3))]
        files = {}
        if rng.random() < 0.4:
            files["special_tokens_map__json"] = {name: token() for name in rng.sample(NAMES, rng.randrange(3))}
        if rng.random() < 0.3:
            files["added_tokens__json"] = {token(): 13 + i for i in range(rng.randrange(4))}
        added = [(i, flags(c, special=rng.random() < 0.6)) for i, c in rng.sample([(10, "<s>"), (12, "</s>"), (13, "<new>"), (14, "<pad>")], rng.randrange(4))]
        yield f"made up {number}", directory(config, sorted(added, key=lambda t: t[0]), **files)


def main(folder):
    cases = []
    for name, case in itertools.chain(handmade(), made_up(random.Random(16))):
        with tempfile.TemporaryDirectory() as path:
            for file in case.get("copied", []):
                shutil.copy(Path(folder) / file, path)
            for file, content in case["files"].items():
                Path(path, file).write_text(content if isinstance(content, str) else json.dumps(content))
            try:
                reference = AutoTokenizer.from_pretrained(path)
            except Exception as error:
                print(f"{name}: transformers refuses it: {error}")
                continue
        case["texts"] = []
        for text in TEXTS:
            ids = reference(text, add_special_tokens=False)["input_ids"]
            case["texts"].append({"text": text, "ids": ids, "special": [i for i in dict.fromkeys(ids) if reference.decode([i], skip_special_tokens=True) == "" and reference.decode([i]) != ""]})
        case["tokens"] = reference.special_tokens_map
        cases.append({"name": name, **case})
    with open(Path(folder) / "config-tokens.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(len(cases), "directories")


if __name__ == "__main__":
    main(*sys.argv[1:])
