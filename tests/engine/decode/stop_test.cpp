#include "engine/decode/stop.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

// What comes out when `text` goes in, cut into pieces of `size`.
std::string feed(StopMatcher& m, const std::string& text, size_t size) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += size) out += m.push(text.substr(i, size));
  return out + m.finish();
}

}  // namespace

TEST_CASE("a stop string cuts the text wherever the pieces end", "[decode][stop][EC-32]") {
  for (size_t size = 1; size <= 12; ++size) {
    StopMatcher cut({"END"}, false), with({"END"}, true), overlap({"aab"}, false),
        none({"zz"}, false);
    CHECK(feed(cut, "one END two", size) == "one ");
    CHECK(cut.matched() == "END");
    CHECK(feed(with, "one END two", size) == "one END");
    CHECK(feed(overlap, "xaaab", size) == "xa");
    CHECK(feed(none, "a z b z", size) == "a z b z");
    CHECK(!none.matched());
  }
}

TEST_CASE("the stop string that begins first wins, then the shortest", "[decode][stop]") {
  StopMatcher first({"world", "lo w"}, false);
  CHECK(feed(first, "hello world", 100) == "hel");
  CHECK(first.matched() == "lo w");
  StopMatcher shortest({"abc", "ab"}, false);
  CHECK(feed(shortest, "xabc", 100) == "x");
  CHECK(shortest.matched() == "ab");
}

TEST_CASE("only what may still become a stop string is held back", "[decode][stop][EC-32]") {
  StopMatcher m({"\n\nQ:"}, false);
  CHECK(m.push("answer\n") == "answer");
  CHECK(m.push("more") == "\nmore");
  CHECK(m.push("\n\n") == "");
  CHECK(m.push("Q") == "");
  CHECK(m.push("x") == "\n\nQx");
  CHECK(m.finish().empty());
}

TEST_CASE("a stop string may not end where none may, but may begin there",
          "[decode][stop][EC-33]") {
  StopMatcher m({"ab", "abcd"}, false);
  CHECK(m.push("xab", false) == "x");  // held back for the longer
  CHECK(m.push("c") == "");            // "ab" is past
  CHECK(m.push("d") == "");
  CHECK(m.matched() == "abcd");
  StopMatcher later({"ab", "abcd"}, false);
  CHECK(later.push("ab", false) == "");
  CHECK(later.push("z ab") == "abz ");
  CHECK(later.matched() == "ab");
}
