// Byte-level BPE out of tiktoken's ranks, and of vocab.json with merges.txt.
#include "engine/text/bpe_files.h"

#include "engine/text/base64.h"
#include "engine/text/parts/byte_level.h"
#include "tests/engine/text/tokenizer_support.h"

using namespace tern;
using namespace tern::test;
using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j)
      text += i + j <= bytes.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

/// The bytes by their value, then `more`.
std::string small_ranks(const std::vector<std::string>& more) {
  std::string text;
  for (int i = 0; i < 256; ++i)
    text += base64(std::string(1, char(i))) + " " + std::to_string(i) + "\n";
  for (size_t i = 0; i < more.size(); ++i)
    text += base64(more[i]) + " " + std::to_string(256 + i) + "\n";
  return text;
}

TokenizerConfig small_config() {
  return {.source = "c",
          .bos_token = "<b>",
          .tokens = {.listed = {{.id = 300, .content = "<b>", .special = true},
                                {.id = 301, .content = "<e>", .special = true}}}};
}

json small_vocab() {
  json vocab;
  for (int i = 0; i < 256; ++i) {
    std::string piece;
    append_byte_level(piece, std::string(1, char(i)));
    vocab[piece] = i;
  }
  for (const char* piece : {"ab", "Ġab", "<|endoftext|>", "<s>", "</s>"})
    vocab[piece] = vocab.size();
  return vocab;
}

Result<std::unique_ptr<Tokenizer>> parse(const std::string& merges, const TokenizerConfig& config) {
  const std::string vocab = small_vocab().dump();
  return parse_vocab_merges(
      {.vocab = vocab, .merges = merges, .vocab_source = "v.json", .merges_source = "m.txt"},
      config);
}

}  // namespace

TEST_CASE("base64 reads back", "[text][base64]") {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\xfe\x80z", "~~~???"}) {
    CHECK(decode_base64(base64(bytes)) == bytes);
  }
  for (const char* text : {"a", "ab=", "a===", "ab==c", "ab\n=", "äöü=", "===="})
    CHECK_FALSE(decode_base64(text));
}

TEST_CASE("tiktoken merges by rank", "[text][tiktoken]") {
  const auto tokenizer =
      expect_ok(parse_tiktoken(small_ranks({"bc", "ab", "abc", " a"}), small_config()));
  const auto ids = [&](const char* text) {
    return encode(*tokenizer, text, {.add_special_tokens = false});
  };
  CHECK(ids("abc") == Ids{258});  // a whole piece
  CHECK(ids("abcd") == Ids{258, 'd'});
  CHECK(ids("abd") == Ids{257, 'd'});
  CHECK(ids("x abcabc") == Ids{'x', ' ', 258, 258});
  CHECK(ids("x ad") == Ids{'x', 259, 'd'});
  CHECK(ids("1234") == Ids{'1', '2', '3', '4'});
  CHECK(ids("a<e>") == Ids{'a', 301});
  CHECK(encode(*tokenizer, "a") == Ids{300, 'a'});
  CHECK(tokenizer->decode(Ids{300, 259, 0xe4, 0xbd, 0xa0}) == " a你");
  CHECK(tokenizer->token_piece(259) == "Ġa");
  TokenizerConfig config = small_config();
  config.add_bos_token = false;
  config.add_eos_token = true;
  config.eos_token = "<e>";
  const auto other = expect_ok(parse_tiktoken(small_ranks({}), config));
  CHECK(encode(*other, "a") == Ids{'a', 301});
}

TEST_CASE("broken ranks are refused by line", "[text][tiktoken][hostile]") {
  const auto message = [](const std::string& text) {
    const auto tokenizer = parse_tiktoken(text, small_config());
    CHECK(tokenizer.status().code() == Code::kInvalidArgument);
    return tokenizer.status().message();
  };
  CHECK_THAT(message(small_ranks({}) + "YQ== x\n"), Contains("line 257"));
  CHECK_THAT(message(small_ranks({}) + "YQ==\n"), Contains("line 257"));
  CHECK_THAT(message(small_ranks({}) + "!!!! 256\n"), Contains("line 257"));
  CHECK_THAT(message(small_ranks({}) + "YWI= 7\n"), Contains("line 257") && Contains("id 7"));
  CHECK_THAT(message(small_ranks({}) + "YWI= -1\n"), Contains("line 257"));
  CHECK_THAT(message(small_ranks({}) + "YWI= 99999999\n"), Contains("line 257"));
  CHECK_THAT(message("YQ== 0\n"), Contains("no rank for byte 0"));
  const auto tokenizer = parse_tiktoken(small_ranks({}), {});
  CHECK(tokenizer.status().code() == Code::kUnimplemented);
  CHECK_THAT(tokenizer.status().message(), Contains("256") && Contains("added_tokens_decoder"));
}

TEST_CASE("a tokenizer.model is told by its content", "[text][tiktoken]") {
  CHECK(is_tiktoken("YQ== 0\n"));
  CHECK_FALSE(is_tiktoken(""));
  CHECK_FALSE(is_tiktoken("\x0a\x0e\x0a\x05<unk>"));
  CHECK_FALSE(is_tiktoken("YQ== \n"));
}

TEST_CASE("vocab.json and merges.txt by tokenizer_class", "[text][vocab_merges]") {
  const std::string merges = "#version: 0.2\na b\n\nĠ ab\r\n";
  const auto ids = [&](const TokenizerConfig& config, const char* text) {
    return encode(*expect_ok(parse(merges, config)), text);
  };
  CHECK(ids({}, "ab ab<|endoftext|>") == Ids{256, 257, 258});
  CHECK(ids({.tokenizer_class = "GPT2Tokenizer", .add_prefix_space = true}, "ab") == Ids{257});
  CHECK(ids({.tokenizer_class = "GPT2Tokenizer", .add_bos_token = true}, "ab") == Ids{258, 256});
  CHECK(ids({.tokenizer_class = "RobertaTokenizer"}, "ab") == Ids{259, 256, 260});
  CHECK(ids({.tokenizer_class = "Qwen2Tokenizer"}, "12") == Ids{'1', '2'});
  // NFC: one character of two bytes.
  CHECK(ids({.tokenizer_class = "Qwen2Tokenizer"}, "e\u0301") == Ids{0xc3, 0xa9});
  const auto unknown = parse(merges, {.source = "c.json", .tokenizer_class = "CLIPTokenizer"});
  CHECK(unknown.status().code() == Code::kUnimplemented);
  CHECK_THAT(unknown.status().message(), Contains("c.json") && Contains("CLIPTokenizer"));
}

TEST_CASE("broken vocabularies and merges are refused by place", "[text][vocab_merges][hostile]") {
  for (const auto& [merges, named] : {std::pair<const char*, const char*>{"a b\nab", "m.txt:2"},
                                      {"a b c", "m.txt:1"},
                                      {"a zz", "m.txt: merges[0]: \"zz\""}}) {
    const auto tokenizer = parse(merges, {});
    CHECK(tokenizer.status().code() == Code::kInvalidArgument);
    CHECK_THAT(tokenizer.status().message(), Contains(named));
  }
  const auto tokenizer = parse_vocab_merges(
      {.vocab = "[]", .merges = "", .vocab_source = "v.json", .merges_source = "m.txt"}, {});
  CHECK_THAT(tokenizer.status().message(), Contains("v.json"));
}
