#!/usr/bin/env python3
"""Makes the expected ids of the tokenizer tests with the reference library (PyPI: tokenizers).

    make_vectors.py MODEL_DIR OUT_DIR

OUT_DIR/tern-stories/vectors.json: texts through MODEL_DIR/tokenizer.json.
OUT_DIR/small/NAME.json: a small tokenizer each, for one feature, with its texts.
"""
import json
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

HOSTILE = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", " \n ", "\n \n", "  \n\n  x", "x  \n\n  ", "\r\n\r\n\t x\r",
    "a\nb\rc\r\nd", " leading", "trailing ", "two  spaces", "many" + " " * 50 + "spaces", " " * 200, "\t\t\tx", "\u00a0x", "\u3000x", "\u180ex \u180e y",
    "x\u0085y", "\u2028\u2029", "\u200b\u200d\ufeff", "\x00", "a\x00b", "\x01\x1c\x1f\x7f", "0", "1234567890", "9" * 100, "3.14159", "1,000,000.00", "٣٤٥ ½ Ⅳ ①",
    "It's", "don'T WE'LL i'M", "'s't're've'm'll'd", "'", "''''", "'\u017f x'\u017f", "Köln straße", "e\u0301 é", "İstanbul ıI", "ǅ ẞ ﬁ", "你好，世界！", "日本語 テキスト", "한국어", "Привет мир", "مرحبا", "हिन्दी",
    "😀", "👩‍👩‍👧‍👦 🏳️‍🌈", "😀" * 20, "\ud7ff\ue000\U0010ffff", "a" * 300, "ab" * 200, "!?" * 100, "...", "--__--", "$$$ ###\n\n### x", "<|end|>", "<|bos|><|user|>Hi<|end|><|assistant|>", "x<|end|>y <|end|> z", "<|end", "|end|>", "<<|end|>>", "<|end|><|end|>",
    "<|END|>", "<|pad|><|mask|><|system|>", "<|us<|user|>er|>", " <|user|> ", "{\"a\": [1, 2, {\"b\": null}]}", "def f(x):\n    return x + 1\n", "http://a.b/c?d=e&f=g#h", "f-o-x", "Once upon a time, there was a child named Lily.", "MIXED case TeXt",
]


def plain(tok, text):
    """Ids with special tokens as plain text."""
    tok.encode_special_tokens = True
    ids = tok.encode(text, add_special_tokens=False).ids
    tok.encode_special_tokens = False
    return ids


def vectors(tok, texts):
    out = []
    for text in texts:
        ids = tok.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": ids, "ids_plain": plain(tok, text), "decoded": tok.decode(ids), "decoded_keep_special": tok.decode(ids, skip_special_tokens=False)})
    return out


def dump(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    json.dump(value, open(path, "w"), ensure_ascii=False, indent=0)


def bundled(model_dir, out):
    tok = Tokenizer.from_file(f"{model_dir}/tokenizer.json")
    tasks = [json.loads(line) for line in open(f"{model_dir}/tasks.jsonl")]
    stories = open(f"{model_dir}/eval.txt", encoding="utf8").read()
    texts = HOSTILE + [t["prompt"] for t in tasks[::40]] + [f"<|bos|><|user|>{t['prompt']}<|end|><|assistant|>{t['reference']}<|end|>" for t in tasks[5::80]] + [stories[:3000], stories[5000:6000]]
    dump(f"{out}/tern-stories/vectors.json", vectors(tok, texts))


def byte_vocab(drop=""):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return {c: i for i, c in enumerate(c for c in alphabet if c not in drop)}


def small(pre, merges=(), added=(), drop="", **options):
    vocab = byte_vocab(drop)
    for piece in options.pop("pieces", []):
        vocab[piece] = len(vocab)
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    last = options.pop("byte_level", pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    tok = Tokenizer(models.BPE(vocab=vocab, merges=list(merges), **options))
    tok.pre_tokenizer = pre_tokenizers.Sequence(pre + [last])
    tok.decoder = decoders.ByteLevel()
    tok.add_tokens([t for t in added if not t.special])
    tok.add_special_tokens([t for t in added if t.special])
    return tok


def small_tokenizers():
    merges = [("a", "a"), ("aa", "a"), ("a", "b"), ("aa", "aa"), ("b", "c"), ("ab", "c"), ("Ġ", "a"), ("c", "c"), ("Ġa", "ab"), ("aa", "b")]
    words = ["aaaaaaa", "aaabc ab abc aabbcc", "a aab aaab aaaab", " aab", "cccc", "xyz", "", "abab" * 10, "a" * 33]
    yield "merges", small([], merges), words
    yield "ignore-merges", small([], merges, pieces=["cba", "aaabc"], ignore_merges=True), words + ["cba", "aaabc", "cbacba"]
    unk = dict(drop="xyzé", pieces=["<unk>"], unk_token="<unk>")
    yield "unk", small([], merges, **unk), ["axyza", "xaxx", "xyz", "axxb"]
    yield "unk-fused", small([], merges, fuse_unk=True, **unk), ["axyza", "xaxx", "xyz", "axxb"]
    yield "unk-none", small([], merges, drop="xyz"), ["axyza", "xaxx", "xyz", "axxb"]
    texts = ["a--b-c", "--a--", "-", "", "a", "a b - c--", "x---y"]
    for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
        for invert in [False, True]:
            # merges over "-" show where the pieces end
            tok = small([pre_tokenizers.Split(Regex("-"), behavior, invert)], [("-", "-"), ("a", "-"), ("-", "b"), ("b", "-"), ("-", "c"), ("-", "a"), ("Ġ", "-"), ("-", "Ġ")])
            yield f"split-{behavior}-{'inverted' if invert else 'plain'}", tok, texts
    yield "split-string", small([pre_tokenizers.Split("a.", "isolated")], [("a", "."), ("a", "b"), (".", "a"), ("b", "a")]), ["a.ba", "aba.b", "ab.a.", "a.a.a"]
    yield "split-empty", small([pre_tokenizers.Split(Regex("b*"), "isolated")], [("a", "a"), ("b", "b"), ("a", "b"), ("Ã", "©")]), ["aabba", "bb", "aéa", "é", "abab"]
    yield "split-lines", small([pre_tokenizers.Split(Regex("^a|b$"), "isolated")], [("a", "a"), ("b", "b"), ("Ċ", "a"), ("b", "Ċ")]), ["aa\naa", "bb\nbb", "bb\n", "a"]
    yield "digits", small([pre_tokenizers.Digits(individual_digits=False)], [("1", "2"), ("a", "1"), ("2", "b"), ("2", "1")]), ["a12b", "1212", "a1", "٣12", "½2"]
    yield "digits-individual", small([pre_tokenizers.Digits(individual_digits=True)], [("1", "2"), ("a", "1"), ("2", "b"), ("2", "1")]), ["a12b", "1212", "a1", "٣12", "½2"]
    yield "byte-level-prefix", small([], [], byte_level=pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)), ["ab", " ab", "ab cd", "", "\nx"]
    tokens = [AddedToken("<w>", single_word=True), AddedToken("word", single_word=True), AddedToken("<l>", lstrip=True), AddedToken("<r>", rstrip=True), AddedToken("<lr>", lstrip=True, rstrip=True, special=True),
              AddedToken("<s>", special=True, normalized=False), AddedToken("<s><s>", special=True, normalized=False), AddedToken("abc", normalized=False), AddedToken("ab"), AddedToken("bcd"), AddedToken("你é"), AddedToken(" tern ")]
    yield "added", small([], [("a", "b"), ("Ġ", "Ġ"), ("w", "o")], tokens), [
        "a <w> b", "a<w>b", "<w>", "你é<w>", "<w>你é", "ö<w>", "_<w>", "-<w>-", "<w> <w>", "<w><w>", "word", "words", "sword", "a word.", "word_", "word\u0301", "ⓐword", "x <l> y", "x  \n\u00a0<l>  y", "<l>", " <l>", "x <r>  \t y", "<r>", "x <lr> y", "  <lr>  <lr>  ",
        "<l> <r> <l>", "<r>  <l>", "<s><s><s>", "<s>", "<s><s>x<s>", "abcd", "abd", "bcd", "xabcdx", "你é", "a你éb", " tern ", "x tern  tern y", "<s>abc<w>", "", "<lr", "\u180e<l>"]


def main(model_dir, out):
    bundled(model_dir, out)
    for name, tok, texts in small_tokenizers():
        dump(f"{out}/small/{name}.json", {"tokenizer": json.loads(tok.to_str()), "vectors": vectors(tok, texts)})


if __name__ == "__main__":
    main(*sys.argv[1:])
