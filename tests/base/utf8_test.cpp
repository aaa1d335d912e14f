// UTF-8: what is valid, what becomes of the rest, and that a stream agrees however it is split.
#include "base/utf8.h"

#include <catch2/catch.hpp>
#include <random>

#include "base/unicode.h"
#include "base/utf8_char.h"

using namespace tern;

namespace {

const std::vector<std::string> kTexts = {"",
                                         "plain",
                                         "Köln",
                                         "你好",
                                         "😀",
                                         "a\xff",
                                         "\x80\x80",
                                         "\xc0\xaf",
                                         "\xc1\xbf",
                                         "\xe0\x80\x80",
                                         "\xe0\xa0",
                                         "\xed\xa0\x80\xed\xb0\x80",
                                         "\xf0\x80\x80\x80",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xf0\x9f\x98",
                                         "\xf0\x9f\x98x",
                                         "\xe4\xbd\xe4\xbd\xa0",
                                         "\xc3",
                                         "\xc3(",
                                         "\xfe\xfe\xff\xff",
                                         "😀\xf0\x9f",
                                         "\xf0\x9f\x98\x80\x80",
                                         std::string("\0\xc2\0", 3),
                                         "\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"};

std::string through_stream(const std::vector<std::string_view>& parts) {
  Utf8Stream stream;
  std::string text;
  for (const std::string_view part : parts) text += stream.push(part);
  return text + stream.finish();
}

}  // namespace

TEST_CASE("invalid UTF-8 is found at its first byte", "[text][utf8]") {
  CHECK_FALSE(find_invalid_utf8("Köln 你好 😀 \x7f"));
  CHECK_FALSE(
      find_invalid_utf8("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90"
                        "\x80\x80\xf4\x8f\xbf\xbf"));
  CHECK(find_invalid_utf8("ab\xc0\xaf") == 2u);
  CHECK(find_invalid_utf8("\xed\xa0\x80") == 0u);
  CHECK(find_invalid_utf8("x\xf4\x90\x80\x80") == 1u);
  CHECK(find_invalid_utf8("x\xf0\x9f\x98") == 1u);
}

TEST_CASE("each maximal invalid part becomes one U+FFFD", "[text][utf8]") {
  CHECK(sanitize_utf8("Köln") == "Köln");
  CHECK(sanitize_utf8("a\xf0\x9f\x98z") == "a\ufffdz");
  CHECK(sanitize_utf8("\xf0\x80\x80\x80") == "\ufffd\ufffd\ufffd\ufffd");
  CHECK(sanitize_utf8("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");
  CHECK(sanitize_utf8("\xe4\xbd\xe4\xbd\xa0") == "\ufffd你");
  CHECK(sanitize_utf8("\xf0\x9f") == "\ufffd");
  // The example of the Unicode standard, table 3-11.
  CHECK(sanitize_utf8("\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64") ==
        "\ufffd\ufffd\ufffdb\ufffdc\ufffd\ufffd"
        "d");
}

TEST_CASE("a stream equals the whole, however it is split", "[text][utf8]") {
  for (const std::string& text : kTexts) {
    const std::string_view all = text;
    const std::string expected = sanitize_utf8(text);
    for (size_t i = 0; i <= all.size(); ++i)
      for (size_t j = i; j <= all.size(); ++j) {
        CAPTURE(text, i, j);
        CHECK(through_stream({all.substr(0, i), all.substr(i, j - i), all.substr(j)}) == expected);
      }
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < all.size(); ++i) bytes.push_back(all.substr(i, 1));
    CHECK(through_stream(bytes) == expected);
  }
}

TEST_CASE("random bytes: a stream equals the whole, and both are valid", "[text][utf8][hostile]") {
  std::mt19937 rng(7);
  const uint8_t leads[] = {0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xa0, 0xed,
                           0x9f, 0xf0, 0x90, 0xf4, 0x8f, 0xff};
  for (int round = 0; round < 5000; ++round) {
    std::string text(rng() % 12, '\0');
    for (char& c : text) c = char(rng() % 4 ? leads[rng() % sizeof leads] : rng());
    const std::string expected = sanitize_utf8(text);
    REQUIRE_FALSE(find_invalid_utf8(expected));
    REQUIRE((find_invalid_utf8(text) ? expected != text : expected == text));
    Utf8Stream stream;
    std::string streamed;
    for (size_t i = 0; i < text.size();) {
      const size_t size = 1 + rng() % 3;
      streamed += stream.push(std::string_view(text).substr(i, size));
      REQUIRE_FALSE(find_invalid_utf8(streamed));
      i += size;
    }
    REQUIRE(streamed + stream.finish() == expected);
    REQUIRE(stream.finish().empty());
  }
}

TEST_CASE("a stream holds back only what may become a character", "[text][utf8]") {
  Utf8Stream stream;
  CHECK(stream.push("a\xf0") == "a");
  CHECK(stream.push("\x9f\x98").empty());
  CHECK(stream.push("\x80 b") == "\U0001f600 b");
  CHECK(stream.push("\xe4\xbd") == "");
  CHECK(stream.push("x") == "\ufffdx");
  CHECK(stream.push("\xff") == "\ufffd");
  CHECK(stream.finish() == "");
}

TEST_CASE("characters are counted and found", "[text][utf8]") {
  CHECK(num_chars("aé你😀") == 4);
  CHECK(char_offset("aé你😀", 2) == 3);
  CHECK(char_offset("aé你😀", 4) == 10);
  CHECK(char_offset("aé你😀", 9) == 10);
  for (const char32_t c :
       {U'a', U'\u0080', U'\u07ff', U'\u0800', U'\uffff', U'\U00010000', U'\U0010ffff'}) {
    std::string text;
    append_utf8(text, c);
    const Utf8Char back = first_char(text);
    CHECK(back.state == Utf8Char::State::kValid);
    CHECK(back.code_point == c);
    CHECK(back.size == text.size());
  }
}

TEST_CASE("white space at the ends", "[text][utf8]") {
  CHECK(leading_white_space("\u3000 \t\nx ") == 6);
  CHECK(trailing_white_space(" x\u00a0\u2028") == 5);
  CHECK(leading_white_space("\u200bx") == 0);
  CHECK(trailing_white_space("  ") == 2);
  CHECK(last_character("aé") == "é");
  CHECK(last_character("").empty());
}
