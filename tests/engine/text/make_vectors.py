#!/usr/bin/env python3
"""Makes the expected ids of the tokenizer tests with the reference library (PyPI: tokenizers).

    make_vectors.py MODEL_DIR OUT_DIR

OUT_DIR/tern-stories/vectors.json: texts through MODEL_DIR/tokenizer.json.
OUT_DIR/small/NAME.json: a small tokenizer each, for one feature, with its texts.
"""
import itertools
import json
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

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


def spelled(normalizer, *added):
    """Ids are the bytes that the normalizer leaves."""
    tok = Tokenizer(models.BPE(vocab=byte_vocab(), merges=[]))
    tok.normalizer = normalizer
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tok.decoder = decoders.ByteLevel()
    tok.add_tokens(list(added))
    return tok


def cut(*pre):
    """Ids are bytes, other ones where a piece ends."""
    vocab = {}
    for c in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocab[c] = len(vocab)
        vocab[c + "</w>"] = len(vocab)
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[], end_of_word_suffix="</w>"))
    tok.pre_tokenizer = pre_tokenizers.Sequence([*pre, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.BPEDecoder()
    tok.add_special_tokens([AddedToken("<s>", normalized=False)])
    return tok


def normalizers_and_pre_tokenizers():
    letters = ["", "e\u0301\u0323 \u00e9", "\u1e69 s\u0323\u0307 s\u0307\u0323", "ﬁ ﬂ ① Ⅳ ½ ㎏ ﷺ", "ÀÉÎ İ ı ẞ ΑΣ ǅ", "각 \u1100\u1161\u11a8", "Å \u212b \u2126 Ω", "हिन्दी मे\u0902", "你好 A世b界 \U0002f800", "a\u200bb\ufeffc\u00adz", "\u0000x\x01\x1fy\ufffdz", " \t\r\n a \u00a0\u3000 ", "\u0301\u0301a\u0323\u0301", "THE Cat"]
    n = normalizers
    for name, normalizer in [("nfc", n.NFC()), ("nfd", n.NFD()), ("nfkc", n.NFKC()), ("nfkd", n.NFKD()), ("lowercase", n.Lowercase()), ("strip-accents", n.Sequence([n.NFD(), n.StripAccents()])), ("nmt", n.Nmt()), ("strip", n.Strip()), ("strip-left", n.Strip(True, False)),
                             ("strip-right", n.Strip(False, True)), ("prepend", n.Prepend("▁")), ("replace", n.Replace("a", "<b>")), ("replace-regex", n.Replace(Regex("\\s+"), "_")), ("bert", n.BertNormalizer()), ("bert-cased", n.BertNormalizer(lowercase=False)), ("bert-only-lower", n.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False))]:
        yield "normalizer-" + name, spelled(normalizer), letters
    yield "normalizer-added", spelled(n.Sequence([n.Lowercase(), n.Prepend("_")]), AddedToken("Cat", normalized=True), AddedToken("THE", normalized=False)), ["a Cat", "_cat", "THE cat", "THE_CAT_", "Cat"]
    texts = ["", " ", "a", "Hello  world!", " it's (nested) [x].y", "ab-cd--e", "x\u00a0y\u3000z\n\nw", "e\u0301‿_1½ \u200cz", "<s>a b<s> c", "a <s>", "日本。語", "--", "$5 + ^~|`", "▁a ▁▁b"]
    p = pre_tokenizers
    for name, pre in [("whitespace", [p.Whitespace()]), ("whitespace-split", [p.WhitespaceSplit()]), ("bert", [p.BertPreTokenizer()]), ("punctuation", [p.Punctuation()]), ("punctuation-removed", [p.Punctuation("removed")]), ("delimiter", [p.CharDelimiterSplit("-")]), ("metaspace", [p.Metaspace()]),
                      ("metaspace-first", [p.Metaspace(prepend_scheme="first")]), ("metaspace-never", [p.Metaspace(prepend_scheme="never")]), ("metaspace-whole", [p.Metaspace(split=False)]), ("metaspace-first-word", [p.WhitespaceSplit(), p.Metaspace(prepend_scheme="first")])]:
        yield "pre-" + name, cut(*pre), texts


def model_options():
    texts = ["", "the cat", "the  caté 日!", "日日 x", "<s>the <s>", "a" * 9, "café"]
    chars = {c: i for i, c in enumerate(["<unk>", "<s>", "▁", "a", "c", "e", "h", "t", "th", "the", "▁the", "ca", "cat", "at"])}
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("c", "a"), ("ca", "t")]
    replaced = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    llama = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    metaspace = pre_tokenizers.Metaspace()

    def make(model, decoder=None, normalizer=None, pre=None):
        tok = Tokenizer(model)
        tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizer, pre, decoder
        tok.add_special_tokens([AddedToken("<s>", normalized=False)])
        return tok

    with_bytes = {**chars, **{f"<0x{i:02X}>": 100 + i for i in range(256)}}
    some_bytes = {k: v for k, v in with_bytes.items() if k != "<0xE6>"}
    for name, vocab, fuse in [("all", with_bytes, False), ("some", some_bytes, True), ("none", chars, True)]:
        yield f"bytes-{name}", make(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=fuse, byte_fallback=True), llama, replaced), texts
    scores = [(k, -1.0 - len(k) % 3 / 8 - i / 64) for i, k in enumerate(with_bytes)]
    for fallback in [False, True]:
        yield f"unigram-bytes-{fallback}".lower(), make(models.Unigram(scores, unk_id=0, byte_fallback=fallback), decoders.Metaspace(), None, metaspace), texts + ["日<unk>日", "the<unk>"]
    pieces = {c: i for i, c in enumerate(["[UNK]", "<s>", "the", "##the", "c", "##a", "##t", "##é", "a", "##aa", "!"])}
    yield "wordpiece", make(models.WordPiece(pieces, unk_token="[UNK]", max_input_chars_per_word=8), decoders.WordPiece(), None, pre_tokenizers.BertPreTokenizer()), texts
    prefixed = {c: i for i, c in enumerate(["<unk>", "<s>", "t", "##h", "##e", "th", "the", "c", "##a", "##t", "ca", "cat"])}
    yield "bpe-prefix", make(models.BPE(vocab=prefixed, merges=[("t", "##h"), ("th", "##e"), ("c", "##a"), ("ca", "##t")], unk_token="<unk>", continuing_subword_prefix="##"), decoders.WordPiece(cleanup=False), None, pre_tokenizers.WhitespaceSplit()), texts
    suffixed = {c: i for i, c in enumerate(["<unk>", "<s>", "t", "h", "e</w>", "th", "the</w>", "c", "a", "t</w>", "ca", "cat</w>"])}
    yield "bpe-suffix", make(models.BPE(vocab=suffixed, merges=[("t", "h"), ("th", "e</w>"), ("c", "a"), ("ca", "t</w>")], unk_token="<unk>", end_of_word_suffix="</w>"), decoders.BPEDecoder(), None, pre_tokenizers.WhitespaceSplit()), texts
    yield "no-decoder", make(models.BPE(vocab=chars, merges=merges, unk_token="<unk>"), None, None, pre_tokenizers.Whitespace()), texts


def main(model_dir, out):
    bundled(model_dir, out)
    for name, tok, texts in itertools.chain(small_tokenizers(), normalizers_and_pre_tokenizers(), model_options()):
        dump(f"{out}/small/{name}.json", {"tokenizer": json.loads(tok.to_str()), "vectors": vectors(tok, texts)})


if __name__ == "__main__":
    main(*sys.argv[1:])
