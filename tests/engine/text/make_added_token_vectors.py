#!/usr/bin/env python3
"""Writes tests/data/tokenizers/added-tokens.json: what the library `tokenizers` makes of
tokenizer.json files whose added tokens do not fit their vocabulary, or each other.

    make_added_token_vectors.py OUT    (needs: pip install tokenizers)
"""
import json
import random
import sys

import tokenizers

PIECES = ["<unk>", "a", "b", "c", "d", " ", "ab", "abc", "A", "B", "<s>", "x"]
MERGES = ["a b", "ab c"]
TEXTS = ["abcd", "<s> ab </s>", "a <new> b", "x<new>x <NEW>", "ab  <pad>  cd", "A<s>AbC<t>", "", "abx xab x", "<t> <t><t>a",
         "b<new>\nc", "a<pad> \n\n <pad>\n"]
CONTENTS = ["<s>", "</s>", "<new>", "<NEW>", "<pad>", "<t>", "ab", "x", "c", "<unk>", ""]


def model(ids):
    return {"type": "BPE", "vocab": dict(zip(PIECES, ids)), "merges": MERGES, "unk_token": "<unk>"}


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True, **flags}


def file(tokens, ids=range(len(PIECES)), normalizer=None, frame=None):
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
             "pre_tokenizer": None, "post_processor": None, "decoder": {"type": "Fuse"}, "model": model(ids)}
    if frame is not None:
        whole["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [frame], "tokens": ["<s>"]}}}
    return whole


def handmade():
    lower = {"type": "Lowercase"}
    gaps = list(range(6)) + [20, 21, 22, 30, 31, 40]
    tight = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]  # 12 pieces: the next id is one of them
    yield "another id than the vocabulary's", file([added("<s>", 3)])
    yield "the id of another token", file([added("<new>", 2)])
    yield "ids with gaps", file([added("<new>", 15), added("<pad>", 99)])
    yield "far beyond the vocabulary", file([added("<new>", 1_000_000)])
    yield "twice the same", file([added("<new>", 12), added("<new>", 12)])
    yield "twice, with another id", file([added("<new>", 12), added("<new>", 13), added("<t>", 13)])
    yield "twice, with other flags", file([added("<new>", 12), added("<new>", 12, lstrip=True, special=False)])
    yield "two of one id", file([added("<new>", 12), added("<t>", 12)])
    yield "empty", file([added("", 12), added("<new>", 13)])
    yield "a vocabulary with gaps", file([added("<new>", 41), added("<s>", 31), added("<t>", 42)], gaps)
    yield "a vocabulary with gaps, in another order", file([added("<s>", 31), added("<new>", 41), added("x", 40)], gaps)
    yield "a new id that a piece has", file([added("<new>", 13), added("x", 12), added("<t>", 14)], tight)
    yield "the same, without the piece", file([added("<new>", 13), added("<t>", 14)], tight)
    yield "a frame of a stale id", file([added("<new>", 40), added("<s>", 10)], frame=40)
    yield "normalized", file([added("<NEW>", 12, normalized=True), added("A", 8, normalized=True)], normalizer=lower)
    yield "normalized, not special", file([added("<NEW>", 50, normalized=True, special=False),
                                           added("<new>", 51, special=False)], normalizer=lower)
    yield "first plain, then special", file([added("<t>", 12, special=False), added("<t>", 12)])
    yield "strips", file([added("<pad>", 12, lstrip=True, rstrip=True), added("<new>", 20, lstrip=True)])
    yield "takes the next token's white space", file([added("<new>", 12, rstrip=True), added("<pad>", 14, lstrip=True, rstrip=True),
                                                      added("\n", 13, special=False)])
    yield "takes all that another would", file([added("<new>", 12, rstrip=True), added("\n", 13, lstrip=True)])
    yield "takes what takes more", file([added("<new>", 12, rstrip=True), added("\n", 13, rstrip=True)])
    yield "single words", file([added("x", 30, single_word=True), added("ab", 31, single_word=True, special=False)])


def made_up(rng):
    for number in range(60):
        ids = list(range(len(PIECES)))
        if rng.random() < 0.4:
            ids = sorted(rng.sample(range(24), len(PIECES)))
        tokens = [added(rng.choice(CONTENTS), rng.randrange(30), special=rng.random() < 0.5,
                        normalized=rng.random() < 0.3, lstrip=rng.random() < 0.2, rstrip=rng.random() < 0.2,
                        single_word=rng.random() < 0.2) for _ in range(rng.randrange(1, 6))]
        normalizer = {"type": "Lowercase"} if rng.random() < 0.4 else None
        texts = {t["content"] for t in tokens if t["normalized"]}
        if len({t.lower() for t in texts}) < len(texts):
            normalizer = None  # which of two tokens with one normal form is found is chance
        yield f"made up {number}", file(tokens, ids, normalizer, rng.randrange(30) if rng.random() < 0.2 else None)


def main(out):
    cases = []
    for name, whole in [*handmade(), *made_up(random.Random(16))]:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(whole))
        texts = []
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            texts.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids),
                          "decoded_keep_special": tokenizer.decode(ids, skip_special_tokens=False)})
        alone = [[tokenizer.decode([i]), tokenizer.decode([i], skip_special_tokens=False)] for i in range(45)]
        cases.append({"name": name, "tokenizer": whole, "texts": texts, "alone": alone})
    with open(out, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(f"{len(cases)} files of tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
