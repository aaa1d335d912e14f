// Suggestions for mistyped words.
#include "base/closest_word.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace tern;

TEST_CASE("the nearest word is suggested, where one is near", "[closest_word]") {
  const std::vector<std::string> words = {"generate", "chat", "status", "ps", "--temperature"};
  CHECK(did_you_mean("generat", words) == "; did you mean generate?");
  CHECK(did_you_mean("gneerate", words) == "; did you mean generate?");
  CHECK(did_you_mean("caht", words) == "; did you mean chat?");  // two letters exchanged: one step
  CHECK(did_you_mean("--temprature", words) == "; did you mean --temperature?");
  CHECK(did_you_mean("zzzz", words).empty());
  // The beginning of a word, whatever else is near.
  CHECK(did_you_mean("--temp", words) == "; did you mean --temperature?");
  CHECK(did_you_mean("sta", words) == "; did you mean status?");
  const std::vector<std::string> flags = {"--help", "--max-tokens", "--max-model-len", "--max"};
  CHECK(did_you_mean("--max-", flags) == "; did you mean --max-tokens?");
  CHECK(did_you_mean("--hel", flags) == "; did you mean --help?");
  CHECK(did_you_mean("--m", flags).empty());
  CHECK(did_you_mean("", words).empty());
  CHECK(did_you_mean("x", words).empty());
  CHECK(did_you_mean(std::string(100'000, 'g'), words).empty());
  CHECK(did_you_mean("generat", {}).empty());
}
