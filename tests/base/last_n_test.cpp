#include "base/last_n.h"

#include <catch2/catch.hpp>
#include <string>

using namespace tern;

TEST_CASE("the last so many are kept, newest first", "[base][last_n]") {
  for (const size_t capacity : {1, 2, 3, 7}) {
    LastN<std::string> last(capacity);
    CHECK(last.size() == 0);
    for (size_t pushed = 1; pushed <= 3 * capacity + 1; ++pushed) {
      last.push(std::to_string(pushed));
      REQUIRE(last.size() == std::min(pushed, capacity));
      for (size_t i = 0; i < last.size(); ++i) CHECK(last.newest(i) == std::to_string(pushed - i));
    }
  }
}
