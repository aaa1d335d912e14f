#include "engine/model/rope_table.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

using namespace tern;

namespace {

constexpr int32_t kHeadDim = 16, kRotaryDim = 12;

RopeConfig longrope() {
  return {.type = RopeType::kLongrope,
          .theta = 1000,
          .factor = 8,
          .partial_rotary_factor = 0.75,
          .short_factor = {1, 1.1, 1.2, 1.3, 1.4, 1.5},
          .long_factor = {1, 1.5, 2, 3, 5, 8},
          .original_max_position_embeddings = 20};
}

/// The cosines and sines of one token at `position`, of a sequence of `variant`: what (1, 0)
/// becomes when it is turned.
std::vector<float> angles_at(const RopeTable& table, int32_t position, int32_t variant) {
  const std::vector<int32_t> positions{position}, variants{variant};
  std::vector<float> x(kHeadDim, 0.0f);
  std::fill_n(x.begin(), kRotaryDim / 2, 1.0f);
  table.turn({.token_ids = positions, .positions = positions, .rope_variants = variants},
             {x.data(), 1, kHeadDim, kHeadDim}, kHeadDim, {});
  return {x.begin(), x.begin() + kRotaryDim};
}

}  // namespace

TEST_CASE("longrope divides each frequency and scales what turns", "[model][rope]") {
  const RopeConfig rope = longrope();
  const Result<RopeTable> table = RopeTable::create(rope, kHeadDim, 100);
  REQUIRE(table.ok());
  const double scale = std::sqrt(1 + std::log(8.0) / std::log(20.0));
  for (const int32_t variant : {0, 1})
    for (const int32_t position : {0, 1, 7, 19, 20, 99}) {
      if (variant == 0 && position >= 20) continue;
      const std::vector<float> row = angles_at(*table, position, variant);
      REQUIRE(row.size() == 12);
      const std::vector<double>& factors = variant == 0 ? rope.short_factor : rope.long_factor;
      for (int i = 0; i < 6; ++i) {
        const double angle = position * std::pow(1000.0, -2.0 * i / 12) / factors[i];
        CAPTURE(variant, position, i);
        CHECK(row[i] == Approx(std::cos(angle) * scale).margin(1e-6));
        CHECK(row[6 + i] == Approx(std::sin(angle) * scale).margin(1e-6));
      }
    }
}

TEST_CASE("an attention factor replaces longrope's own", "[model][rope]") {
  RopeConfig rope = longrope();
  rope.attention_factor = 1.25;
  CHECK(angles_at(*RopeTable::create(rope, kHeadDim, 100), 0, 0)[0] == 1.25f);
  rope.attention_factor.reset();
  rope.factor = 0.5;  // the context did not grow
  CHECK(angles_at(*RopeTable::create(rope, kHeadDim, 100), 0, 0)[0] == 1.0f);
}

TEST_CASE("a sequence takes the long factors where it leaves the original context",
          "[model][rope]") {
  const RopeTable table = *RopeTable::create(longrope(), kHeadDim, 100);
  CHECK(table.variant(1) == 0);
  CHECK(table.variant(20) == 0);
  CHECK(table.variant(21) == 1);
  CHECK(table.variant(100) == 1);
  // Where no sequence can leave it there is one variant, and no memory for another.
  const RopeTable small = *RopeTable::create(longrope(), kHeadDim, 20);
  CHECK(small.variant(20) == 0);
  CHECK(small.bytes() < 20 * 12 * sizeof(float) + 4096);
  CHECK(table.bytes() >= 120 * 12 * sizeof(float));
  RopeConfig same = longrope();
  same.short_factor = same.long_factor;
  CHECK(RopeTable::create(same, kHeadDim, 100)->variant(100) == 0);
  CHECK(RopeTable::create({}, kHeadDim, 100)->variant(100) == 0);
}

TEST_CASE("each token of a step is turned by its sequence's variant", "[model][rope]") {
  const RopeTable table = *RopeTable::create(longrope(), kHeadDim, 100);
  const std::vector<int32_t> positions{4, 5, 6, 19, 0, 1}, variants{1, 1, 1, 0, 1, 1};
  const StepBatch batch{.token_ids = positions, .positions = positions, .rope_variants = variants};
  std::vector<float> x(6 * kHeadDim, 0.5f);
  table.turn(batch, {x.data(), 6, kHeadDim, kHeadDim}, kHeadDim, {});
  // Alone, with no other variant in its step.
  for (int t = 0; t < 6; ++t) {
    std::vector<float> row(kHeadDim, 0.5f);
    const std::span<const int32_t> position(&positions[t], 1), variant(&variants[t], 1);
    table.turn({.token_ids = position, .positions = position, .rope_variants = variant},
               {row.data(), 1, kHeadDim, kHeadDim}, kHeadDim, {});
    CHECK(std::equal(row.begin(), row.end(), x.begin() + t * kHeadDim));
  }
  // Position 4 differs by variant, and a table that has one variant asks for none.
  std::vector<float> row(kHeadDim, 0.5f);
  const std::vector<int32_t> at{4}, first{0};
  table.turn({.token_ids = at, .positions = at, .rope_variants = first},
             {row.data(), 1, kHeadDim, kHeadDim}, kHeadDim, {});
  CHECK(!std::equal(row.begin(), row.end(), x.begin()));
  const RopeTable plain = *RopeTable::create({}, kHeadDim, 100);
  plain.turn({.token_ids = at, .positions = at}, {row.data(), 1, kHeadDim, kHeadDim}, kHeadDim, {});
}
