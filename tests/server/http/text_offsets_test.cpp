// Where tokens begin in a prompt that tokenizers of many kinds have cut.
#include "server/http/text_offsets.h"

#include <catch2/catch.hpp>

using namespace tern;
using http::describe_prompt;
using http::TextOffsets;

namespace {

// Tokens that the test names; what encode() gives is told to it.
class ListTokenizer final : public Tokenizer {
 public:
  // Those in angle brackets are special.
  explicit ListTokenizer(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  Result<std::vector<int32_t>> encode(std::string_view,
                                      const EncodeOptions& options) const override {
    return options.add_special_tokens ? all() : own;
  }
  std::string_view token_bytes(int32_t id) const override { return pieces_.at(size_t(id)); }
  std::string_view token_piece(int32_t id) const override { return token_bytes(id); }
  bool is_special(int32_t id) const override { return token_bytes(id).starts_with('<'); }
  std::optional<int32_t> token_id(std::string_view) const override { return {}; }
  int32_t vocab_size() const override { return int32_t(pieces_.size()); }
  std::string decode(std::span<const int32_t> ids, bool skip) const override {
    std::string text = Tokenizer::decode(ids, skip);
    return strips_space && text.starts_with(' ') ? text.substr(1) : text;
  }

  std::vector<int32_t> all() const {
    std::vector<int32_t> ids(pieces_.size());
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = int32_t(i);
    return ids;
  }

  std::vector<int32_t> own;  // without what add_special_tokens adds
  bool strips_space = false;

 private:
  std::vector<std::string> pieces_;
};

using Offsets = std::vector<int32_t>;

// Describes `text`, cut into `pieces`, of which the first `num_added` were put in front.
Offsets offsets_in(const std::string& text, std::vector<std::string> pieces, size_t num_added = 0) {
  ListTokenizer tokenizer(std::move(pieces));
  const std::vector<int32_t> ids = tokenizer.all();
  tokenizer.own = {ids.begin() + int64_t(num_added), ids.end()};
  const http::PromptText out = describe_prompt(ids, &text, {}, true, tokenizer);
  CHECK(out.text == text);
  return out.offsets;
}

Offsets offsets_of_ids(std::vector<std::string> pieces, bool skip, std::string* text,
                       bool strips_space = false) {
  ListTokenizer tokenizer(std::move(pieces));
  tokenizer.strips_space = strips_space;
  http::PromptText out = describe_prompt(tokenizer.all(), nullptr, {}, skip, tokenizer);
  *text = out.text;
  return out.offsets;
}

}  // namespace

TEST_CASE("an answer's tokens begin where the characters before them end", "[http][offsets]") {
  TextOffsets offsets(10);
  CHECK(offsets.next("ab") == 10);
  CHECK(offsets.next("") == 12);
  CHECK(offsets.next("\xf0\x9f") == 12);  // four bytes of one character
  CHECK(offsets.next("\x8e") == 12);
  CHECK(offsets.next("\x88!") == 12);
  CHECK(offsets.next("\xe2\x82") == 14);  // never finished
  CHECK(offsets.next("x") == 15);
  CHECK(offsets.next("\xa9\xa9") == 16);  // two that begin none
  CHECK(offsets.next("y") == 18);
}

TEST_CASE("offsets in a text that was sent", "[http][offsets]") {
  CHECK(offsets_in("Once upon", {"Once", " upon"}) == Offsets{0, 4});
  // What the tokenizer has added is not in the text, what looks like it is.
  CHECK(offsets_in("Hi", {"<s>", "Hi", "</s>"}, 1) == Offsets{0, 0, 2});
  CHECK(offsets_in("<s>Hi", {"<s>", "<s>", "Hi"}, 1) == Offsets{0, 0, 3});
  CHECK(offsets_in("a<s>b", {"a", "<s>", "b"}) == Offsets{0, 1, 4});
  // Tokenizers that put a space in front of the first word.
  CHECK(offsets_in("Hello Hello", {"<s>", " Hello", " Hello"}, 1) == Offsets{0, 0, 5});
  CHECK(offsets_in("Hello", {" ", "Hello"}) == Offsets{0, 0});
  CHECK(offsets_in(" Hello", {" ", " Hello"}) == Offsets{0, 1});
  // Special tokens that swallow the white space around them.
  CHECK(offsets_in("a <end>\n\nb c", {"a", "<end>", "b", " c"}) == Offsets{0, 2, 9, 10});
  // Normalized: found again behind the change.
  CHECK(offsets_in("cafe\u0301 noir", {"caf", "é", " noir"}) == Offsets{0, 3, 5});
  CHECK(offsets_in("ＡＢ x", {"A", "B", " x"}) == Offsets{0, 1, 2});
  CHECK(offsets_in("ABC", {"a", "bc"}) == Offsets{0, 1});
  CHECK(offsets_in("a", {"aa", "b", "c"}) == Offsets{0, 1, 1});  // never behind the text
  // Unknown tokens are spelled otherwise than what they stand for.
  CHECK(offsets_in("saw a 🙂 on it", {"saw", " a", " ", "<unk>", " on", " it"}) ==
        Offsets{0, 3, 5, 6, 7, 10});
  CHECK(offsets_in("🙂🙂 🙂a", {"<unk>", "<unk>", " ", "<unk>", "a"}) ==
        Offsets{0, 1, 2, 3, 4});
  CHECK(offsets_in("🙂🙂🙂 b🙂", {"<unk>", " b", "<unk>"}) == Offsets{0, 3, 5});
  CHECK(offsets_in("🙂🙂🙂 b🙂🙂 c", {"<unk>", " b", "<unk>", " c"}) ==
        Offsets{0, 3, 5, 7});
  CHECK(offsets_in("🙂🙂 b c🙂🙂", {"<unk>", " b", " c", "<unk>"}) == Offsets{0, 2, 4, 6});
  CHECK(offsets_in("A🙂a🙂", {"a", "<unk>", "a", "<unk>"}) == Offsets{0, 1, 2, 3});
  CHECK(offsets_in("日本 on", {"<s>", " \u2047 ", " on"}, 1) == Offsets{0, 0, 2});
  std::string unknown_text;
  std::vector<std::string> unknown_pieces;
  Offsets each;
  for (int32_t i = 0; i < 5000; ++i) {
    unknown_text += "日";
    unknown_pieces.emplace_back("<unk>");
    each.push_back(i);
  }
  CHECK(offsets_in(unknown_text, unknown_pieces) == each);
  // Parts of a character.
  CHECK(offsets_in("5€!", {"5", "\xe2", "\x82\xac", "!"}) == Offsets{0, 1, 1, 2});
}

TEST_CASE("offsets of ids are in what they are decoded to", "[http][offsets]") {
  std::string text;
  CHECK(offsets_of_ids({"<s>", "<user>", "How"}, true, &text) == Offsets{0, 0, 0});
  CHECK(text == "How");
  CHECK(offsets_of_ids({"<s>", "<user>", "How"}, false, &text) == Offsets{0, 3, 9});
  CHECK(text == "<s><user>How");
  CHECK(offsets_of_ids({"<s>", " How", " many"}, true, &text, true) == Offsets{0, 0, 3});
  CHECK(text == "How many");
  CHECK(offsets_of_ids({" How", " many"}, true, &text) == Offsets{0, 4});
  CHECK(text == " How many");
  CHECK(offsets_of_ids({"\xa9", "\xe2", "\x82", "x", "\xe2"}, true, &text) ==
        Offsets{0, 1, 1, 2, 3});
  CHECK(text == "\uFFFD\uFFFDx\uFFFD");
  // The first space alone is dropped, whatever the text begins with then.
  CHECK(offsets_of_ids({" ", " two", " x"}, true, &text, true) == Offsets{0, 0, 4});
  CHECK(text == " two x");
  CHECK(offsets_of_ids({"<s>", "  ", " two"}, true, &text, true) == Offsets{0, 0, 1});
  CHECK(text == "  two");
}

TEST_CASE("offsets where a tokenizer changes the text before it cuts it", "[http][offsets]") {
  const auto offsets = [](const std::string& normalizer, const std::string& text) {
    const auto tokenizer = parse_tokenizer_json(
        R"({"normalizer": )" + normalizer + R"(, "decoder": {"type": "Fuse"}, "model": {"type":
            "BPE", "unk_token": "?", "vocab": {"?": 0, "f": 1, "i": 2, "n": 3, "e": 4, " ": 5,
            "d": 6, "a": 7, "y": 8, "\u00e9": 9, "fi": 10, "ay": 11},
            "merges": ["f i", "a y"]}})",
        "t.json");
    REQUIRE(tokenizer.ok());
    const std::vector<int32_t> ids = *(*tokenizer)->encode(text);
    return describe_prompt(ids, &text, {}, true, **tokenizer).offsets;
  };
  CHECK(offsets(R"({"type": "NFKC"})", "ﬁne day") == Offsets{0, 1, 2, 3, 4, 5});
  CHECK(offsets(R"({"type": "NFKC"})", "ﬁﬁ e🙂e") == Offsets{0, 1, 2, 3, 4, 5});
  CHECK(offsets(R"({"type": "NFC"})", "e\u0301e\u0301n") == Offsets{0, 2, 4});
  CHECK(offsets(R"({"type": "NFD"})", "éa") == Offsets{0, 0, 1});
  CHECK(offsets(R"({"type": "Lowercase"})", "FINE DAY") == Offsets{0, 2, 3, 4, 5, 6});
}
