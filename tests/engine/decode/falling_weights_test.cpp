#include "engine/decode/falling_weights.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "engine/decode/row_passes.h"
#include "tests/engine/decode/hostile_rows.h"
#include "tests/engine/decode/reference_sampler.h"

using namespace tern;

namespace {

struct Row {
  explicit Row(std::vector<float> values) : weights(std::move(values)) {
    weights.resize(size_t(WeighLogits::num_blocks(int64_t(weights.size()))) * WeighLogits::kBlock);
    for (size_t i = 0; i < weights.size(); ++i) {
      if (i % WeighLogits::kBlock == 0) block_largest.push_back(0);
      block_largest.back() = std::max(block_largest.back(), weights[i]);
      if (weights[i] > 0) sorted.push_back({weights[i], int32_t(i)});
    }
    std::sort(sorted.begin(), sorted.end(), comes_before);
    for (const Candidate& c : sorted) total += c.weight;
  }

  std::vector<float> weights, block_largest;
  std::vector<Candidate> sorted;  // those above 0
  double total = 0;
};

Row weigh(const std::vector<float>& logits, double scale) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> weights;
  for (const float x : logits)
    weights.push_back(float(std::exp((double(x) - double(largest)) * scale)));
  return Row(weights);
}

FallingWeights falling_of(const Row& row, Isa isa = Isa::kScalar) {
  FallingWeights falling(int64_t(row.weights.size()), row_passes(isa));
  falling.assign(row.weights, row.block_largest, row.total);
  return falling;
}

// Looks for about 50 places, each by a sum within its weight, far from rounding's reach.
void check_places(const Row& row, size_t num, FallingWeights& falling) {
  const size_t stride = std::max<size_t>(1, num / 50);
  double before = 0;
  for (size_t k = 0; k < num; ++k) {
    const Candidate& c = row.sorted[k];
    const double sum = before + 0.5 * double(c.weight);
    // Where the running sum is so much larger that it loses the weight, nothing can be told.
    if ((k % stride == 0 || k + 1 == num) && c.weight > 1e-9 * row.total) {
      for (const bool beyond : {false, true}) {
        const FallingWeights::Place place = falling.find(sum, beyond);
        CAPTURE(k, beyond);
        REQUIRE(place.weight == c.weight);
        REQUIRE(falling.id_of(place) == c.id);
        REQUIRE(place.sum() == Approx(before + c.weight).epsilon(1e-12));
      }
    }
    before += c.weight;
  }
}

}  // namespace

TEST_CASE("a place in the running sum is that of the sorted row", "[decode][falling_weights]") {
  for (const HostileRow& hostile : hostile_rows()) {
    for (const double scale : {1.0, 30.0}) {
      const Row row = weigh(hostile.logits, scale);
      CAPTURE(hostile.name, scale);
      for (const Isa isa : runnable_isas()) {
        CAPTURE(isa_name(isa));
        FallingWeights falling = falling_of(row, isa);
        check_places(row, row.sorted.size(), falling);
      }
    }
  }
}

TEST_CASE("a sample that misleads costs time, no place", "[decode][falling_weights]") {
  // Weights that every sample with one stride sees all of, or nothing.
  for (const size_t size : {4096, 50000, 128256}) {
    for (const size_t period : {2, 4, 12, 48, 125, 126, 128}) {
      std::vector<float> seen(size), hidden(size), steep(size);
      for (size_t i = 0; i < size; ++i) {
        const auto noise = float(1 + i * 7919 % size) / float(size);
        seen[i] = (i % period == 0 ? 1.0f : 0x1p-12f) * noise;
        hidden[i] = (i % period == 0 ? 0x1p-12f : 1.0f) * noise;
        steep[i] = i % period == 1 ? noise : std::ldexp(noise, -int(i % 140));
      }
      for (const std::vector<float>& weights : {seen, hidden, steep}) {
        const Row row(weights);
        FallingWeights falling = falling_of(row, cpu_info().best_isa);
        CAPTURE(size, period);
        check_places(row, row.sorted.size(), falling);
      }
    }
  }
}

TEST_CASE("a sum at a border belongs to the weight before it, or beyond it",
          "[decode][falling_weights]") {
  // Sums of powers of two are exact.
  std::vector<float> weights(WeighLogits::kBlock);
  weights[3] = 1, weights[90] = 1, weights[7] = 0.5f, weights[1] = 0x1p-60f;
  const Row row(weights);
  FallingWeights falling = falling_of(row);
  const auto id = [&](double sum, bool beyond) { return falling.id_of(falling.find(sum, beyond)); };
  CHECK(id(0, false) == 3);
  CHECK(id(0, true) == 3);
  CHECK(id(1, false) == 3);
  CHECK(id(1, true) == 90);
  CHECK(id(2, false) == 90);
  CHECK(id(2, true) == 7);
  CHECK(falling.find(2, true).sum() == 2.5);
  CHECK(id(99, true) == 1);  // the last one, where none reaches it
}

TEST_CASE("a sum that rounding left out of reach is the last place's",
          "[decode][falling_weights]") {
  for (const HostileRow& hostile : hostile_rows()) {
    const Row row = weigh(hostile.logits, 1);
    FallingWeights falling = falling_of(row);
    CAPTURE(hostile.name);
    CHECK(falling.id_of(falling.find(row.total * 1.01, false)) == row.sorted.back().id);
  }
}

TEST_CASE("the first k weights are kept, and none behind them", "[decode][falling_weights]") {
  for (const HostileRow& hostile : hostile_rows()) {
    const Row row = weigh(hostile.logits, 1);
    const size_t num = row.sorted.size();
    CAPTURE(hostile.name, num);
    for (const size_t k : {size_t(1), size_t(2), size_t(50), num / 2, num - 1, num, num + 1}) {
      if (k == 0) continue;
      CAPTURE(k);
      FallingWeights falling = falling_of(row, cpu_info().best_isa);
      const std::optional<double> sum = falling.keep_first(int64_t(k));
      REQUIRE(sum.has_value() == (k < num));
      if (!sum) continue;
      double expected = 0;
      for (size_t i = 0; i < k; ++i) expected += row.sorted[i].weight;
      REQUIRE(*sum == Approx(expected).epsilon(1e-12));
      REQUIRE(falling.id_of(falling.find(2 * row.total, true)) == row.sorted[k - 1].id);
      check_places(row, k, falling);
    }
  }
}
