#include "engine/decode/token_counts.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "base/rng.h"

using namespace tern;

TEST_CASE("counts equal those of a map, in the order of first occurrence", "[decode][counts]") {
  for (const int32_t vocab : {1, 3, 100, 1 << 30}) {
    constexpr int kTokens = 2000;
    TokenCounts counts(kTokens);
    std::map<int32_t, int32_t> expected;
    std::vector<int32_t> order;
    for (int i = 0; i < kTokens; ++i) {
      const auto id = int32_t(random_bits(5, RngStream::kTest, i) % uint64_t(vocab));
      if (!expected.contains(id)) order.push_back(id);
      if (i < kTokens / 2) {
        expected.try_emplace(id, 0);
        counts.add_prompt({&id, 1});
      } else {
        ++expected[id];
        counts.add_output(id);
      }
    }
    REQUIRE(counts.entries().size() == expected.size());
    for (size_t i = 0; i < order.size(); ++i) {
      REQUIRE(counts.entries()[i].token_id == order[i]);
      REQUIRE(counts.entries()[i].num_outputs == expected[order[i]]);
    }
  }
}

TEST_CASE("counts without memory count nothing", "[decode][counts]") {
  TokenCounts counts;
  counts.add_output(7);
  CHECK(counts.entries().empty());
}

TEST_CASE("counting takes no memory beyond what was announced", "[decode][counts]") {
  TokenCounts counts(3);
  counts.add_output(1 << 20);
  const TokenCounts::Entry* first = counts.entries().data();
  for (const int32_t id : {5, 1 << 20, 9, 5, 9}) counts.add_output(id);
  CHECK(counts.entries().data() == first);
  CHECK(counts.entries().size() == 3);
}
