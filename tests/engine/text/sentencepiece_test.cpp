// SentencePiece models: what the file may say, what a directory adds, and broken files.
#include "engine/text/sentencepiece_model.h"

#include <random>

#include "engine/text/parts/charsmap.h"
#include "engine/text/parts/normalizer.h"
#include "tests/engine/text/tokenizer_support.h"

using namespace tern;
using namespace tern::test;
using Catch::Matchers::Contains;
using Kind = SentencePieceModel::Kind;

namespace {

constexpr EncodeOptions kText{.add_special_tokens = false};

SentencePieceModel small_model(Kind kind) {
  SentencePieceModel model;
  model.kind = kind;
  model.pieces = {{"<unk>", 0, PieceType::kUnknown},
                  {"<s>", 0, PieceType::kControl},
                  {"</s>", 0, PieceType::kControl},
                  {"▁", -3},
                  {"a", -3},
                  {"b", -3.5f},
                  {"ab", -1},
                  {"▁a", -2},
                  {"[x]", 0, PieceType::kUserDefined}};
  model.unk_id = 0;
  model.bos_id = 1;
  model.eos_id = 2;
  return model;
}

std::unique_ptr<Tokenizer> make(const SentencePieceModel& model, SentencePieceUse use = {}) {
  return expect_ok(make_sentencepiece_tokenizer(model, std::move(use)));
}

std::string read_model(const std::string& kind) {
  return expect_ok(read_text_file(kTokenizerData + "sentencepiece-" + kind + "/tokenizer.model"));
}

Status parse_status(std::string_view bytes, const TokenizerConfig& config = {}) {
  return parse_sentencepiece_tokenizer(bytes, config).status();
}

}  // namespace

TEST_CASE("the dummy prefix after a special token", "[text][sentencepiece]") {
  const SentencePieceModel model = [] {
    SentencePieceModel m = small_model(Kind::kBpe);
    m.remove_extra_whitespaces = false;
    return m;
  }();
  // ids: "a" alone is 4, with the prefix 7; a space of its own gives "▁" 3 before it.
  const auto ids = [&](PrefixAfterToken prefix, const char* text) {
    return encode(*make(model, {.prefix_after_token = prefix}), text, kText);
  };
  CHECK(ids(PrefixAfterToken::kAlways, "a<s>a<s> a") == Ids{7, 1, 7, 1, 3, 7});
  CHECK(ids(PrefixAfterToken::kUnlessSpace, "a<s>a<s> a") == Ids{7, 1, 7, 1, 7});
  CHECK(ids(PrefixAfterToken::kNever, "a<s>a<s> a") == Ids{7, 1, 4, 1, 7});
  CHECK(ids(PrefixAfterToken::kUnlessSpace, " a") == Ids{3, 7});
}

TEST_CASE("unknown characters and user-defined symbols", "[text][sentencepiece]") {
  for (const Kind kind : {Kind::kBpe, Kind::kUnigram}) {
    const auto tokenizer = make(small_model(kind));
    CHECK(encode(*tokenizer, "a??b", kText) == Ids{7, 0, 5});
    CHECK(encode(*tokenizer, "a[x]ab", kText) == Ids{7, 8, 6});
    CHECK(tokenizer->decode(Ids{7, 0, 5}) == "a \u2047 b");
    CHECK(tokenizer->token_bytes(7) == " a");
    CHECK(tokenizer->is_special(1));
    CHECK_FALSE(tokenizer->is_special(0));
    CHECK_FALSE(tokenizer->is_special(8));
    CHECK(tokenizer->decode(Ids{1, 7, 2}) == "a");
    CHECK(tokenizer->decode(Ids{1, 7, 2}, false) == "<s> a</s>");
    CHECK(tokenizer->decode(Ids{3, 3, 7, 7}) == "a a");  // all spaces in front go
  }
}

TEST_CASE("unused pieces are taken apart again", "[text][sentencepiece]") {
  SentencePieceModel model = small_model(Kind::kBpe);
  model.pieces[6].type = PieceType::kUnused;
  CHECK(encode(*make(model), "ab", kText) == Ids{3, 4, 5});
  model.pieces.push_back({"bab", 5});
  CHECK(encode(*make(model), "bab", kText) == Ids{3, 9});
}

TEST_CASE("white space can be a suffix, or stay as it is", "[text][sentencepiece]") {
  SentencePieceModel model = small_model(Kind::kBpe);
  model.treat_whitespace_as_suffix = true;
  CHECK(encode(*make(model), " a", kText) == Ids{4, 3});
  model.add_dummy_prefix = false;
  CHECK(encode(*make(model), "  a  b ", kText) == Ids{4, 3, 5});
  model.escape_whitespaces = false;
  CHECK(encode(*make(model), "a b", kText) == Ids{4, 0, 5});
}

TEST_CASE("what tokenizer_config.json adds to a model", "[text][sentencepiece]") {
  const std::string bytes = read_model("bpe");
  const auto with = [&](const char* config) {
    const TemporaryDirectory directory;
    directory.write("tokenizer.model", bytes);
    directory.write("tokenizer_config.json", config);
    return load(directory.path());
  };
  const auto model = load(kTokenizerData + "sentencepiece-bpe");
  const Ids plain = encode(*model, "Hello", kText);
  const auto wrapped = [&](Ids ids, const Ids& behind) {
    ids.insert(ids.end(), plain.begin(), plain.end());
    ids.insert(ids.end(), behind.begin(), behind.end());
    return ids;
  };
  CHECK(encode(*with("{}"), "Hello") == wrapped({1}, {}));
  CHECK(encode(*with(R"({"add_bos_token":false,"add_eos_token":true})"), "Hello") ==
        wrapped({}, {2}));
  CHECK(encode(*with(R"({"tokenizer_class":"T5Tokenizer"})"), "Hello") == wrapped({}, {2}));
  CHECK(encode(*with(R"({"bos_token":{"content":"</s>"}})"), "Hello") == wrapped({2}, {}));

  const auto added = with(R"({"added_tokens_decoder":{"2000":{"content":"<|new|>","special":true,
                              "rstrip":true}},"legacy":false})");
  // What the model does not have goes behind its pieces, whatever id it is listed with.
  const int32_t next = model->vocab_size();
  CHECK(added->vocab_size() == next + 1);
  CHECK(added->is_special(next));
  const Ids ids = encode(*added, "<|new|>  Hello", kText);
  CHECK(ids.front() == next);
  CHECK(added->decode(ids) == "Hello");
  const auto contradicting =
      with(R"({"added_tokens_decoder":{"7":{"content":"<|new|>","special":true}}})");
  CHECK(contradicting->token_id("<|new|>") == contradicting->vocab_size() - 1);
  const auto named = with(R"({"bos_token":"<s2>","add_bos_token":true})");
  CHECK(named->token_id("<s2>") == next);
  CHECK(encode(*named, "Hello") == wrapped({next}, {}));
  CHECK(with(R"({"bos_token":null,"image_token":7})")->vocab_size() == next);
  CHECK(with(R"({"extra_special_tokens":["<q>"],"additional_special_tokens":7})")->vocab_size() ==
        next + 1);

  for (const auto& [config, place] :
       {std::pair<const char*, const char*>{R"({"bos_token":7})", "$.bos_token"},
        {R"({"mask_token":{"content":7}})", "$.mask_token"},
        {R"({"additional_special_tokens":7})", "$.additional_special_tokens"},
        {R"({"extra_special_tokens":["<q>",null]})", "$.extra_special_tokens[1]"},
        {R"({"extra_special_tokens":{"x_token":7}})", "$.extra_special_tokens.x_token"},
        {R"({"add_bos_token":1})", "$.add_bos_token"},
        {R"({"added_tokens_decoder":{"x":{"content":"y"}}})", "\"x\""},
        {"[]", "must be a JSON object"}}) {
    CAPTURE(config);
    const TemporaryDirectory directory;
    directory.write("tokenizer.model", bytes);
    directory.write("tokenizer_config.json", config);
    const Status status = load_tokenizer(directory.path()).status();
    CHECK(status.code() == Code::kInvalidArgument);
    CHECK_THAT(status.message(), Contains("tokenizer_config.json") && Contains(place));
  }
  const TemporaryDirectory directory;
  directory.write("tokenizer.model", bytes);
  directory.write("special_tokens_map.json", R"({"eos_token":[],"additional_special_tokens":7})");
  CHECK_THAT(load_tokenizer(directory.path()).status().message(),
             Contains("special_tokens_map.json: $.eos_token"));
}

TEST_CASE("models that tern does not know are refused", "[text][sentencepiece]") {
  const std::string bytes = read_model("unigram");
  const Status status = parse_status(bytes, {.tokenizer_class = "XLMRobertaTokenizer"});
  CHECK(status.code() == Code::kUnimplemented);
  CHECK_THAT(status.message(), Contains("XLMRobertaTokenizer"));
  for (const Kind kind : {Kind::kWord, Kind::kChar, Kind(9)}) {
    const auto tokenizer = make_sentencepiece_tokenizer(small_model(kind), {});
    CHECK(tokenizer.status().code() == Code::kUnimplemented);
  }
}

TEST_CASE("broken models are refused, never read beyond", "[text][sentencepiece][hostile]") {
  CHECK_THAT(parse_status("").message(), Contains("no pieces"));
  CHECK_THAT(parse_status("\x0a").message(), Contains("byte 1"));
  CHECK_THAT(parse_status("\x0a\x7f").message(), Contains("ends behind"));
  CHECK_THAT(parse_status(std::string_view("\x00\x00", 2)).message(), Contains("no number"));
  CHECK_THAT(parse_status("\x0b").message(), Contains("wire type 3"));
  CHECK_THAT(parse_status(std::string_view("\x0a\x00", 2)).message(), Contains("text is empty"));
  CHECK_THAT(parse_status(std::string_view("\x0a\x03\x0a\x01x\x0a\x00", 7)).message(),
             Contains("piece 1") && Contains("empty"));
  CHECK_THAT(parse_status(std::string_view("\x0a\x05\x0a\x01x\x18\x09", 7)).message(),
             Contains("piece 0") && Contains("type 9"));
  CHECK_THAT(parse_status(std::string(20, '\xff')).message(), Contains("no end"));

  const std::string bytes = read_model("bpe");
  std::mt19937 rng(1);
  for (int i = 0; i < 500; ++i) {
    std::string broken = bytes;
    if (i % 2 == 0) broken.resize(rng() % bytes.size());
    for (int flips = 0; flips < 3 && !broken.empty(); ++flips)
      broken[rng() % std::min<size_t>(broken.size(), i % 3 == 0 ? 64 : broken.size())] =
          char(rng());
    const auto tokenizer = parse_sentencepiece_tokenizer(broken, {});
    if (tokenizer.ok()) CHECK((*tokenizer)->encode("Hello 你").ok());
  }
}

TEST_CASE("a precompiled map as Hugging Face applies it", "[text][normalizer]") {
  const SentencePieceModel model = expect_ok(parse_sentencepiece_model(read_model("unigram")));
  const auto normalizer = make_precompiled(expect_ok(Charsmap::parse(model.charsmap)));
  for (const auto& [text, expected] : {std::pair<const char*, const char*>{"ﬁne", "fine"},
                                       {"ﬁ\u0301", "fi"},  // the mark is lost there, too
                                       {"e\u0301x", "éx"},
                                       {"\r\n", " "},
                                       {"ｱﾞ", "ア\u3099"},
                                       {"Ⅳ½", "IV1\u20442"},
                                       {"\u200bz", " z"},
                                       {"hello", "hello"},
                                       {"\u0344", "\u0308\u0301"}}) {
    CAPTURE(text);
    CHECK(expect_ok(normalizer->apply(text, true)) == expected);
  }
}

TEST_CASE("broken precompiled maps are refused, or find nothing", "[text][normalizer][hostile]") {
  const std::string map = expect_ok(parse_sentencepiece_model(read_model("unigram"))).charsmap;
  for (const std::string& broken :
       {std::string("\1"), std::string("\0\0\0\0abc", 7), std::string("\5\0\0\0aaaaaaaa\0", 13),
        std::string("\4\0\0\0aaaa", 8), std::string("\4\0\0\0aaaab", 9), map.substr(0, 1000),
        map.substr(0, map.size() - 1),
        std::string("\4\0\0\0aaaa", 8) + std::string(300, 'x') + '\0'})
    CHECK(Charsmap::parse(broken).status().code() == Code::kInvalidArgument);
  std::mt19937 rng(1);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += char(rng());
  for (int i = 0; i < 100; ++i) {
    std::string mutated = map;
    for (int flips = 0; flips < 2000; ++flips) mutated[4 + rng() % (map.size() - 5)] = char(rng());
    const auto charsmap = Charsmap::parse(mutated);
    if (!charsmap.ok()) continue;
    for (size_t at = 0; at < text.size(); ++at) {
      const auto match = charsmap->longest_prefix(std::string_view(text).substr(at));
      CHECK(match.size <= text.size() - at);
    }
  }
}
