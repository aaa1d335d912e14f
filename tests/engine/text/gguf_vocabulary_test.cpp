// Tokenizers out of GGUF metadata.
#include "engine/text/gguf_vocabulary.h"

#include "engine/io/gguf.h"
#include "engine/text/gguf_splits.h"
#include "engine/text/parts/byte_level.h"
#include "tests/engine/text/tokenizer_support.h"
#include "tests/support/shared_data.h"

using namespace tern;
using namespace tern::test;
using Catch::Matchers::Contains;

namespace {

constexpr EncodeOptions kText{.add_special_tokens = false};
enum : int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// "<unk> <s> </s>", the bytes as `spell` spells them, then `pieces`.
GgufVocabulary byte_vocabulary(const std::string& model, const std::vector<std::string>& pieces) {
  GgufVocabulary v;
  v.model = model;
  v.tokens = {"<unk>", "<s>", "</s>"};
  v.token_types = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    std::string spelled;
    append_byte_level(spelled, std::string(1, char(byte)));
    v.tokens.push_back(model == "gpt2" ? spelled : name);
    v.token_types.push_back(model == "gpt2" ? kNormal : kByte);
  }
  for (const std::string& piece : pieces) {
    v.tokens.push_back(piece);
    v.token_types.push_back(kNormal);
  }
  v.scores.resize(v.tokens.size());
  for (size_t i = 0; i < v.scores.size(); ++i) v.scores[i] = -float(i);
  v.bos_id = 1;
  v.eos_id = 2;
  v.unk_id = 0;
  return v;
}

constexpr int32_t kFirst = 259;  // id of the first of `pieces`

std::unique_ptr<Tokenizer> make(const GgufVocabulary& vocabulary) {
  return expect_ok(make_gguf_tokenizer(vocabulary, "x.gguf"));
}

GgufVocabulary gpt2_vocabulary(const std::string& pre) {
  GgufVocabulary v = byte_vocabulary("gpt2", {"ab", "Ġab", "<|x|>"});
  v.merges = {"a b", "Ġ ab"};
  v.token_types.back() = kUserDefined;
  v.pre = pre;
  return v;
}

/// The pieces into which `pre` cuts a text: its ids where every piece of 2 letters is a token.
std::string cut(const std::string& pre, const std::string& text) {
  const auto split = find_gguf_split(pre);
  REQUIRE(split);
  Pieces pieces;
  pieces.add(text);
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  if (split->digit_groups) parts.push_back(make_digit_groups());
  for (const std::string_view pattern : split->patterns)
    parts.push_back(
        make_split(expect_ok(Regex::compile(pattern)), SplitBehavior::kIsolated, false));
  pieces = expect_ok(make_sequence(std::move(parts))->apply(std::move(pieces)));
  std::string all;
  for (size_t i = 0; i < pieces.size(); ++i) all += std::string(pieces[i]) + "|";
  return all;
}

GgufVocabulary read(const GgufFile& file) {
  const std::string prefix = "tokenizer.ggml.";
  GgufVocabulary v;
  v.model = expect_ok(file.get<std::string_view>(prefix + "model"));
  v.pre = expect_ok(file.get_optional<std::string_view>(prefix + "pre")).value_or("");
  v.name = expect_ok(file.get_optional<std::string_view>("general.name")).value_or("");
  using Strings = std::vector<std::string_view>;
  const auto strings = [&](const std::string& key) {
    const Strings list = expect_ok(file.get_optional<Strings>(prefix + key)).value_or(Strings());
    return std::vector<std::string>(list.begin(), list.end());
  };
  v.tokens = strings("tokens");
  v.merges = strings("merges");
  v.scores = expect_ok(file.get_optional<std::vector<float>>(prefix + "scores"))
                 .value_or(std::vector<float>());
  v.token_types = expect_ok(file.get_optional<std::vector<int32_t>>(prefix + "token_type"))
                      .value_or(std::vector<int32_t>());
  return v;
}

}  // namespace

TEST_CASE("llama: merges by score, bytes, special tokens", "[text][gguf]") {
  GgufVocabulary v = byte_vocabulary("llama", {"▁", "a", "b", "ab", "▁ab", "<x>"});
  v.token_types.back() = kUserDefined;
  const auto tokenizer = make(v);
  const auto id = [](int i) { return kFirst + i; };
  CHECK(encode(*tokenizer, "ab") == Ids{1, id(4)});
  CHECK(encode(*tokenizer, "ab ab", kText) == Ids{id(4), id(4)});
  CHECK(encode(*tokenizer, "é", kText) == Ids{id(0), 3 + 0xc3, 3 + 0xa9});
  // The prefix comes after every token, also where the text has a space.
  CHECK(encode(*tokenizer, "ab</s>ab<x> ab", kText) == Ids{id(4), 2, id(4), id(5), id(0), id(4)});
  CHECK(encode(*tokenizer, "<x>", {.add_special_tokens = false, .parse_special_tokens = false}) ==
        Ids{id(5)});
  CHECK(tokenizer->decode(Ids{1, id(4), id(4), 3 + 0xc3, 3 + 0xa9, 2}) == "ab abé");
  CHECK(tokenizer->is_special(0));
  CHECK_FALSE(tokenizer->is_special(id(5)));
  v.add_space_prefix = false;
  v.add_bos = false;
  v.add_eos = true;
  CHECK(encode(*make(v), "ab") == Ids{id(3), 2});
}

TEST_CASE("Phi-3's special tokens take the space behind them", "[text][gguf]") {
  GgufVocabulary v = byte_vocabulary("llama", {"▁", "a", "▁a", "<|user|>"});
  v.token_types.back() = kControl;
  v.name = "Phi-3 Mini";
  CHECK(encode(*make(v), "<|user|>\n a", kText) == Ids{kFirst + 3, kFirst + 2});
  v.name = "Other";
  CHECK(encode(*make(v), "<|user|> a", kText) == Ids{kFirst + 3, kFirst, kFirst + 2});
}

TEST_CASE("gpt2: merges, patterns, tokens that end an answer", "[text][gguf]") {
  GgufVocabulary v = gpt2_vocabulary("gpt-2");
  const auto tokenizer = make(v);
  CHECK(encode(*tokenizer, "ab ab<|x|>") == Ids{kFirst, kFirst + 1, kFirst + 2});
  CHECK(tokenizer->decode(Ids{kFirst, kFirst + 1, 3 + 0xc3, 3 + 0xa9}) == "ab abé");
  CHECK_FALSE(tokenizer->is_special(kFirst + 2));
  CHECK(encode(*make(gpt2_vocabulary("llama-bpe")), "ab") == Ids{1, kFirst});
  v.tokens.back() = "<|im_end|>";
  CHECK(make(v)->is_special(kFirst + 2));
  v.tokens[5] = "";  // a hole: its id is its text
  CHECK(make(v)->token_piece(5) == "[EMPTY_5]");
}

TEST_CASE("gemma4: merges over text with marks for spaces", "[text][gguf]") {
  GgufVocabulary v = byte_vocabulary("gemma4", {"▁", "a", "b", "ab", "▁ab", "\n", "▁▁"});
  v.merges = {"a b", "▁ ab", "▁ ▁"};
  const auto tokenizer = make(v);
  CHECK(encode(*tokenizer, "ab ab\n  é", kText) ==
        Ids{kFirst + 3, kFirst + 4, kFirst + 5, kFirst + 6, 3 + 0xc3, 3 + 0xa9});
  CHECK(tokenizer->decode(Ids{kFirst + 4, kFirst + 5, 3 + 0xc3, 3 + 0xa9}) == " ab\né");
}

TEST_CASE("t5: unigram with normalized spaces", "[text][gguf]") {
  GgufVocabulary v;
  v.model = "t5";
  v.tokens = {"<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "ab"};
  v.token_types = {kControl, kControl, kUnknown, kNormal, kNormal, kNormal, kNormal, kNormal};
  v.scores = {0, 0, 0, -2, -3, -3, -3.5f, -4};
  v.add_space_prefix = true;
  v.remove_extra_whitespaces = true;
  const auto tokenizer = make(v);
  CHECK(encode(*tokenizer, "  ab   a ") == Ids{3, 7, 6, 1});
  CHECK(encode(*tokenizer, "ab??", kText) == Ids{3, 7, 2});
  CHECK(tokenizer->decode(Ids{3, 7, 6, 1}) == "ab a");
}

TEST_CASE("bert: words by their first token", "[text][gguf]") {
  GgufVocabulary v;
  v.model = "bert";
  v.tokens = {"[UNK]", "[CLS]", "[SEP]", "▁the", "s", "▁s", "▁,", "▁你"};
  v.token_types = {kControl, kControl, kControl, kNormal, kNormal, kNormal, kNormal, kNormal};
  v.unk_id = 0;
  v.bos_id = 1;
  v.sep_id = 2;
  const auto tokenizer = make(v);
  CHECK(encode(*tokenizer, "Thes, S 你the zz") == Ids{1, 3, 4, 6, 5, 7, 3, 0, 2});
  CHECK(tokenizer->decode(Ids{1, 3, 4, 6, 3, 2}) == "thes , the");
  check_linear_time(*tokenizer, "s");
}

TEST_CASE("what tokenizer.ggml.pre names", "[text][gguf]") {
  for (const char* pre : {"",
                          "default",
                          "llama3",
                          "llama-v3",
                          "llama-bpe",
                          "falcon3",
                          "falcon-h1",
                          "pixtral",
                          "midm-2.0",
                          "lfm2",
                          "jina-v5-nano",
                          "minicpm5",
                          "dbrx",
                          "smaug-bpe",
                          "chatglm-bpe",
                          "glm4",
                          "glm5",
                          "deepseek-llm",
                          "deepseek-coder",
                          "deepseek-v3",
                          "hunyuan-dense",
                          "joyai-llm",
                          "hy_v4",
                          "spark2_5",
                          "youtu",
                          "falcon",
                          "starcoder",
                          "refact",
                          "command-r",
                          "smollm",
                          "codeshell",
                          "exaone",
                          "minerva-7b",
                          "mellum2",
                          "gpt-2",
                          "phi-2",
                          "mpt",
                          "olmo",
                          "jais",
                          "trillion",
                          "granite-docling",
                          "exaone4",
                          "gigachat",
                          "a.x-4.0",
                          "mellum",
                          "modern-bert",
                          "roberta-bpe",
                          "jina-es",
                          "jina-de",
                          "jina-v1-en",
                          "jina-v2-es",
                          "jina-v2-de",
                          "jina-v2-code",
                          "qwen2",
                          "deepseek-r1-qwen",
                          "kormo",
                          "f2llmv2",
                          "megrez",
                          "stablelm2",
                          "hunyuan",
                          "solar-open",
                          "grok-2",
                          "qwen35",
                          "laguna",
                          "ufakzeka",
                          "poro-chat",
                          "bloom",
                          "gpt3-finnish",
                          "viking",
                          "jais-2",
                          "tekken",
                          "chameleon",
                          "gpt-4o",
                          "llama4",
                          "kanana2",
                          "talkie",
                          "minimax-m2",
                          "granite-embed-multi-97m",
                          "tiny_aya",
                          "cohere2moe",
                          "superbpe",
                          "afmoe",
                          "bailingmoe",
                          "bailingmoe2",
                          "llada-moe",
                          "seed-coder",
                          "exaone-moe"}) {
    CAPTURE(pre);
    GgufVocabulary v = gpt2_vocabulary(pre);
    v.add_bos = false;
    const auto tokenizer = make(v);
    const std::string text = "Hello it's 1234 ΑΒγ你好 [x]\n\n  ab!";
    CHECK(tokenizer->decode(encode(*tokenizer, text)) == text);
    for (const std::string unit : {"a", "A", " ", "a ", "1", "é!", "\u0301", "\n"}) {
      std::string many;
      while (many.size() < 30'000) many += unit;
      CHECK(tokenizer->encode(many + "你").ok());  // a quadratic pattern exceeds its limit
    }
  }
  CHECK(cut("smollm", "ab 12 's") == "ab| |1|2| '|s|");
  CHECK(cut("gpt-2", "ab 12 x's  y") == "ab| 12| x|'s| | y|");
  CHECK(cut("qwen2", "It'S 12\n\n x") == "It|'S| |1|2|\n\n| x|");
  CHECK(cut("llama-bpe", "x12345") == "x|123|45|");
  CHECK(cut("deepseek-v3", "1234 .net 你a") == "123|4| .|net| |你|a|");
  CHECK(cut("deepseek-llm", "ab12 你") == "ab|12| |你|");
  CHECK(cut("deepseek-llm", "你  \n x  ") == "你|  |\n| x|  |");
  CHECK(cut("exaone-moe", "a be\u0301 c  d e1") == "a be\u0301 c| | d e|1|");
  CHECK(cut("gpt-4o", "HELLOworld it's") == "HELLOworld| it's|");
  CHECK(cut("tekken", "HELLOWorld 12") == "HELLOWorld| |1|2|");
  CHECK(cut("afmoe", "x1234567 ab") == "x|1|234|567| ab|");
  CHECK(cut("superbpe", "a b 12345") == "a b |12|345|");
  CHECK(cut("falcon", "a12345!?") == "a|123|45|!?|");
  CHECK(cut("bloom", " ab,c d") == " ab|,|c| d|");
}

TEST_CASE("broken or unknown GGUF vocabularies are refused", "[text][gguf][hostile]") {
  const auto status = [](const GgufVocabulary& v, Code code) {
    const Status status = make_gguf_tokenizer(v, "x.gguf").status();
    CHECK(status.code() == code);
    CHECK_THAT(status.message(), Contains("x.gguf: tokenizer.ggml"));
    return status.message();
  };
  constexpr Code kBad = Code::kInvalidArgument;
  GgufVocabulary v = gpt2_vocabulary("gpt-7");
  CHECK_THAT(status(v, Code::kUnimplemented), Contains("gpt-7"));
  v.model = "rwkv";
  CHECK_THAT(status(v, Code::kUnimplemented), Contains("rwkv"));
  v = gpt2_vocabulary("gpt-2");
  v.scores.pop_back();
  CHECK_THAT(status(v, kBad), Contains("scores"));
  v = gpt2_vocabulary("gpt-2");
  v.token_types.push_back(1);
  CHECK_THAT(status(v, kBad), Contains("token_type"));
  v = gpt2_vocabulary("gpt-2");
  v.eos_id = 262;
  CHECK_THAT(status(v, kBad), Contains("eos_token_id") && Contains("262"));
  v = gpt2_vocabulary("gpt-2");
  v.merges = {"ab"};
  CHECK_THAT(status(v, kBad), Contains("merges[0]"));
  v.merges = {"a zz"};
  CHECK_THAT(status(v, kBad), Contains("merges[0]") && Contains("zz"));
  v.merges.clear();
  CHECK_THAT(status(v, kBad), Contains("merges"));
  v = byte_vocabulary("llama", {});
  v.scores.clear();
  CHECK_THAT(status(v, kBad), Contains("scores"));
  v.tokens.clear();
  CHECK_THAT(status(v, kBad), Contains("tokens"));
  v = byte_vocabulary("llama", {});
  v.scores[5] = NAN;
  CHECK_THAT(status(v, kBad), Contains("not a number"));
}

TEST_CASE("llama.cpp's vocabularies give the recorded ids", "[text][gguf]") {
  for (const std::string name : {"llama-spm", "phi-3", "gpt-2", "deepseek-llm"}) {
    const auto path = shared_data("data/tokenizers/ggml-vocab/ggml-vocab-" + name + ".gguf", name);
    if (!path) continue;
    const GgufFile file = expect_ok(GgufFile::open(*path));
    const auto tokenizer = make(read(file));
    check_ggml_vectors(*tokenizer, *path);
  }
}
