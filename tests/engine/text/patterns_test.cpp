// The byte-level alphabet, and what patterns mean.
#include <catch2/catch.hpp>

#include "base/utf8.h"
#include "base/utf8_char.h"
#include "engine/text/parts/byte_level.h"
#include "engine/text/parts/regex.h"

using namespace tern;

TEST_CASE("every byte has a visible spelling that reads back", "[text][byte_level]") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += char(i);
  std::string spelled;
  append_byte_level(spelled, bytes);
  CHECK_FALSE(find_invalid_utf8(spelled));
  CHECK(num_chars(spelled) == 256);
  CHECK(byte_level_decode(spelled) == bytes);
  std::string the;
  append_byte_level(the, " the\n");
  CHECK(the == "ĠtheĊ");
  for (const char* piece : {" ", "a b", "\u0144", "\u00a0", "你", "\xff"}) {
    CAPTURE(piece);
    CHECK_FALSE(byte_level_decode(piece));
  }
}

TEST_CASE("patterns mean what they mean to Oniguruma", "[text][regex]") {
  const auto matches = [](std::string_view pattern, std::string_view text) {
    const auto regex = Regex::compile(pattern);
    REQUIRE(regex.ok());
    std::vector<Span> spans;
    REQUIRE(regex->find_all(text, spans).ok());
    std::string found;
    for (const Span& s : spans) found += std::string(text.substr(s.begin, s.end - s.begin)) + "|";
    return found;
  };
  CHECK(matches("\\s", "a\u180e \u0085") == " |\u0085|");
  CHECK(matches("[^\\s]", "a\u180e ") == "a|\u180e|");
  CHECK(matches("\\S+", "a\u180eb c") == "a\u180eb|c|");
  CHECK(matches("\\w+", "e\u0301 a‿b") == "e\u0301|a‿b|");
  CHECK(matches("[[:alpha:]x]+", "abc1x") == "abc|x|");
  CHECK(matches("[]a]+", "a]b") == "a]|");
  CHECK(matches("^.|.$", "ab\ncd") == "a|b|c|d|");
  CHECK(matches("x*", "axb") == "|x||");
  CHECK(matches("(?i:'S)", "'s'S'ſ") == "'s|'S|'ſ|");
  for (const char* pattern : {"\\h", "[\\S]", "[a[b]]", "[a&&b]"})
    CHECK(Regex::compile(pattern).status().code() == Code::kUnimplemented);
  for (const char* pattern : {"(", "[a", "*", "\\p{Nope}", "\xff"})
    CHECK(Regex::compile(pattern).status().code() == Code::kInvalidArgument);
}
