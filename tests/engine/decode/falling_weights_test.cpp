#include "engine/decode/falling_weights.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "engine/decode/row_passes.h"
#include "tests/engine/decode/hostile_rows.h"

using namespace tern;

namespace {

struct Row {
  std::vector<float> weights, block_largest;
  std::vector<Candidate> sorted;  // those above 0
  double total = 0;
};

Row make_row(const std::vector<float>& logits, double scale) {
  const auto count = static_cast<int64_t>(logits.size());
  const auto blocks = size_t(WeighLogits::num_blocks(count));
  Row row{std::vector<float>(blocks * WeighLogits::kBlock), std::vector<float>(blocks), {}};
  std::vector<double> sums(blocks);
  row_passes(Isa::kScalar)
      .weigh({logits.data(), count, *std::max_element(logits.begin(), logits.end()), scale, 0,
              row.weights.data(), sums.data(), row.block_largest.data()});
  for (size_t i = 0; i < row.weights.size(); ++i)
    if (row.weights[i] > 0) row.sorted.push_back({row.weights[i], int32_t(i)});
  std::sort(row.sorted.begin(), row.sorted.end(), comes_before);
  for (const Candidate& c : row.sorted) row.total += c.weight;
  return row;
}

}  // namespace

TEST_CASE("a place in the running sum is that of the sorted row", "[decode][falling_weights]") {
  for (const HostileRow& hostile : hostile_rows()) {
    for (const double scale : {1.0, 30.0}) {
      const Row row = make_row(hostile.logits, scale);
      FallingWeights falling(static_cast<int64_t>(hostile.logits.size()));
      falling.assign(row.weights, row.block_largest, 0);
      const size_t stride = std::max<size_t>(1, row.sorted.size() / 50);
      double before = 0;
      for (size_t k = 0; k < row.sorted.size(); ++k) {
        const Candidate& c = row.sorted[k];
        const double sum = before + 0.5 * double(c.weight);  // far from rounding's reach
        // Where the running sum is so much larger that it loses the weight, nothing can be told.
        if ((k % stride == 0 || k + 1 == row.sorted.size()) && c.weight > 1e-9 * row.total) {
          for (const bool beyond : {false, true}) {
            const FallingWeights::Place place = falling.find(sum, beyond);
            CAPTURE(hostile.name, scale, k, beyond);
            REQUIRE(place.candidate.id == c.id);
            REQUIRE(place.candidate.weight == c.weight);
            REQUIRE(place.sum == Approx(before + c.weight).epsilon(1e-12));
          }
        }
        before += c.weight;
      }
    }
  }
}

TEST_CASE("a sum at a border belongs to the weight before it, or beyond it",
          "[decode][falling_weights]") {
  // Sums of powers of two are exact.
  std::vector<float> weights(WeighLogits::kBlock);
  weights[3] = 1, weights[90] = 1, weights[7] = 0.5f, weights[1] = 0x1p-60f;
  const std::vector<float> block_largest{1};
  FallingWeights falling(128);
  falling.assign(weights, block_largest, 0);
  CHECK(falling.find(0, false).candidate.id == 3);
  CHECK(falling.find(0, true).candidate.id == 3);
  CHECK(falling.find(1, false).candidate.id == 3);
  CHECK(falling.find(1, true).candidate.id == 90);
  CHECK(falling.find(2, false).candidate.id == 90);
  CHECK(falling.find(2, true).candidate.id == 7);
  CHECK(falling.find(2, true).sum == 2.5);
  CHECK(falling.find(99, true).candidate.id == 1);  // the last one, where none reaches it
}

TEST_CASE("blocks below the least weight may be left out, others not",
          "[decode][falling_weights]") {
  std::vector<float> weights(2 * WeighLogits::kBlock);
  weights[5] = 1, weights[130] = 0.25f, weights[131] = 0.125f;
  const std::vector<float> block_largest{1, 0.25f};
  FallingWeights falling(256);
  falling.assign(weights, block_largest, 0.25f);
  CHECK(falling.find(1.3, false).candidate.id == 131);
  falling.assign(weights, block_largest, 0.26f);
  CHECK(falling.find(1.3, false).candidate.id == 5);
}
