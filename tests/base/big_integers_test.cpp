// Integers beyond 64 bits in JSON.
#include "base/big_integers.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("integers that a parser would round are marked, and come back", "[base]") {
  const std::string big = "18446744073709551616", low = "-9223372036854775809";
  for (const std::string& text :
       {"[" + big + "," + low + "]", "{\"a\": " + big + "}", big, " -" + std::string(400, '9')}) {
    CAPTURE(text);
    const std::string quoted = quote_big_integers(text);
    CHECK(quoted.find('"') != quoted.npos);
    CHECK(quoted != text);
    CHECK(unquote_big_integers(quoted) == text);
  }
  for (const std::string text :
       {"18446744073709551615", "-9223372036854775808", "18446744073709551616.0",
        "18446744073709551616e1", "\"18446744073709551616\"", "\"\\\"\", 1", "{\"a\\\\\": 1}",
        "00018446744073709551616", "", "\"", "-", "[1, 2.5, true]"}) {
    CAPTURE(text);
    CHECK(quote_big_integers(text) == text);
    CHECK(unquote_big_integers(text) == text);
  }
  const std::string quoted = quote_big_integers(big);
  CHECK(find_big_integer(quoted.substr(1, quoted.size() - 2)) == big);
  CHECK_FALSE(find_big_integer(big));
  const std::string small = quoted.substr(0, quoted.size() - 3) + "\"";  // a digit less
  CHECK(unquote_big_integers(small) == small);
}
