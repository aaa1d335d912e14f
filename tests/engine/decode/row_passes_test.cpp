#include "engine/decode/row_passes.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/engine/decode/hostile_rows.h"

using namespace tern;

namespace {

struct Weighed {
  std::vector<float> weights, block_largest;
  std::vector<double> block_sums;
};

Weighed weigh(Isa isa, const std::vector<float>& logits, double scale, float min_weight,
              float largest) {
  const auto count = static_cast<int64_t>(logits.size());
  const auto blocks = size_t(WeighLogits::num_blocks(count));
  Weighed out{std::vector<float>(blocks * WeighLogits::kBlock, -1.0f),
              std::vector<float>(blocks, -1.0f), std::vector<double>(blocks, -1.0)};
  row_passes(isa).weigh({logits.data(), count, largest, scale, min_weight, out.weights.data(),
                         out.block_sums.data(), out.block_largest.data()});
  return out;
}

float largest_of(const std::vector<float>& v) {
  float out = v[0];
  for (const float x : v) out = std::max(out, x);
  return out;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// In units in the last place of the float next to `exact`. Below 2^-126 anything from 0 to that is
/// right.
double error_of(float got, double exact) {
  if (exact < 0x1p-126) return got >= 0 && got <= 0x1p-126f ? 0 : HUGE_VAL;
  return std::abs(double(got) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23);
}

}  // namespace

TEST_CASE("weights are e^x to the last place, on every instruction set", "[decode][row_passes]") {
  for (const HostileRow& row : hostile_rows()) {
    const float largest = largest_of(row.logits);
    for (const double temperature : {1.0, 0.7, 2.0, 1e-4}) {
      const Weighed base = weigh(Isa::kScalar, row.logits, 1 / temperature, 0, largest);
      CAPTURE(row.name, temperature);
      double worst = 0;
      for (size_t i = 0; i < row.logits.size(); ++i) {
        const double exact = std::exp((double(row.logits[i]) - largest) * (1 / temperature));
        worst = std::max(worst, error_of(base.weights[i], exact));
      }
      CHECK(worst <= 1.3);
      for (size_t i = row.logits.size(); i < base.weights.size(); ++i)
        REQUIRE(base.weights[i] == 0);
      for (size_t b = 0; b < base.block_sums.size(); ++b) {
        double sum = 0;
        float block_largest = 0;
        for (size_t i = 0; i < size_t(WeighLogits::kBlock); ++i) {
          const float weight = base.weights[b * WeighLogits::kBlock + i];
          sum += weight;
          block_largest = std::max(block_largest, weight);
        }
        REQUIRE(std::abs(base.block_sums[b] - sum) <= 1e-14 * sum);
        REQUIRE(base.block_largest[b] == block_largest);
      }
      for (const Isa isa : runnable_isas()) {
        const Weighed other = weigh(isa, row.logits, 1 / temperature, 0, largest);
        CAPTURE(isa_name(isa));
        CHECK(same_bits(other.weights, base.weights));
        CHECK(same_bits(other.block_sums, base.block_sums));
        CHECK(same_bits(other.block_largest, base.block_largest));
      }
    }
  }
}

TEST_CASE("weights are e^x over all that a float can show", "[decode][row_passes]") {
  std::vector<float> x;
  for (int i = 0; i < 1 << 18; ++i) x.push_back(-110.0f * float(i) / float(1 << 18));
  const Weighed w = weigh(cpu_info().best_isa, x, 1, 0, 0);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, error_of(w.weights[i], std::exp(double(x[i]))));
    if (i > 0) REQUIRE(w.weights[i] <= w.weights[i - 1]);
  }
  CHECK(worst <= 1.3);
  CHECK(w.weights[0] == 1);
  CHECK(w.weights[x.size() - 1] == 0);
}

TEST_CASE("a masked token and one below the least weight weigh nothing", "[decode][row_passes]") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const Isa isa : runnable_isas()) {
    const Weighed w = weigh(isa, {0, -inf, -1, -2, -3}, 1, float(std::exp(-2.5)), 0);
    CHECK(w.weights[0] == 1);
    CHECK(w.weights[1] == 0);
    CHECK(w.weights[2] > 0);
    CHECK(w.weights[3] > 0);
    CHECK(w.weights[4] == 0);
  }
}

TEST_CASE("the largest logit is found as by a plain loop, on every instruction set",
          "[decode][row_passes]") {
  for (const HostileRow& row : hostile_rows()) {
    const float largest = largest_of(row.logits);
    const auto first = std::find(row.logits.begin(), row.logits.end(), largest);
    for (const Isa isa : runnable_isas()) {
      const auto count = static_cast<int64_t>(row.logits.size());
      const LargestLogit found = row_passes(isa).find_largest(row.logits.data(), count);
      CAPTURE(row.name, isa_name(isa));
      CHECK(found.value == largest);
      CHECK(found.id == first - row.logits.begin());
      CHECK(found.finite);
    }
  }
}

TEST_CASE("a fault is found wherever it stands, on every instruction set", "[decode][row_passes]") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const size_t size : {1, 7, 15, 16, 17, 33, 1030}) {
    for (const Isa isa : runnable_isas()) {
      for (size_t at = 0; at < size; ++at) {
        for (const float fault : {std::nanf(""), inf, -inf}) {
          std::vector<float> v(size, -2.0f);
          v[at] = fault;
          const LargestLogit found = row_passes(isa).find_largest(v.data(), int64_t(size));
          REQUIRE_FALSE(found.finite);
          if (fault == inf || size == 1) continue;
          REQUIRE(found.value == -2.0f);  // masks are -inf: the others still count
          REQUIRE(found.id == (at == 0 ? 1 : 0));
        }
      }
    }
  }
}

TEST_CASE("a row that is masked whole has no largest logit", "[decode][row_passes]") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const Isa isa : runnable_isas()) {
    const std::vector<float> v(40, -inf);
    CHECK(row_passes(isa).find_largest(v.data(), 40).value == -inf);
  }
}

TEST_CASE("weights are split as by a plain loop, with the same bits on every instruction set",
          "[decode][row_passes][EC-42]") {
  for (const int size : {1, 15, 16, 17, 127, 128, 129, 1000, 5000}) {
    std::vector<float> weights;
    for (int i = 0; i < size; ++i)
      weights.push_back(i % 9 == 0 ? 0 : std::exp2(-std::abs(3 * normal_noise(6, i))));
    std::vector<float> block_largest(size_t(WeighLogits::num_blocks(size)));
    for (int i = 0; i < size; ++i) {
      float& largest = block_largest[size_t(i / WeighLogits::kBlock)];
      largest = std::max(largest, weights[size_t(i)]);
    }
    const float some = std::max(weights[size_t(size / 2)], 0.125f);
    for (const auto& [lowest, limit] :
         std::vector<std::pair<float, float>>{{0, 2},
                                              {0.25f, 0.5f},
                                              {some, some},
                                              {some, std::nextafter(some, 2.0f)},
                                              {std::numeric_limits<float>::denorm_min(), some},
                                              {0.999f, 1}}) {
      std::vector<float> between;
      double above = 0, sum = 0;
      int64_t num_above = 0;
      for (const float w : weights) {
        if (w >= limit) above += w, ++num_above;
        if (w >= lowest && w < limit) between.push_back(w), sum += w;
      }
      SplitSums base;
      for (const Isa isa : runnable_isas()) {
        for (const bool in_place : {false, true}) {
          for (const bool knows_largest : {false, true}) {
            const float* const largest = knows_largest ? block_largest.data() : nullptr;
            std::vector<float> from = weights, to(size_t(size) + 16, -1.0f);
            from.resize(size_t(size) + 16, -1.0f);
            if (in_place) to = from;
            float* const out = to.data();
            const SplitSums got = row_passes(isa).split(
                {in_place ? out : from.data(), size, largest, lowest, limit, out});
            CAPTURE(size, lowest, limit, isa_name(isa), in_place);
            if (isa == Isa::kScalar && !in_place && !largest) base = got;
            REQUIRE(got.num_above == num_above);
            REQUIRE(got.num_between == int64_t(between.size()));
            REQUIRE(std::equal(between.begin(), between.end(), out));
            REQUIRE(got.sum_above == Approx(above).epsilon(1e-13));
            REQUIRE(got.sum_between == Approx(sum).epsilon(1e-13));
            if (!largest) REQUIRE(std::memcmp(&got, &base, sizeof got) == 0);
          }
        }
      }
    }
  }
}

TEST_CASE("equal weights of a block are counted", "[decode][row_passes]") {
  std::vector<float> block(WeighLogits::kBlock, 0.5f);
  for (const size_t at : {0, 15, 16, 100, 127}) block[at] = 0.25f;
  for (const Isa isa : runnable_isas()) {
    CHECK(row_passes(isa).count_equal(block.data(), 0.25f) == 5);
    CHECK(row_passes(isa).count_equal(block.data(), 0.5f) == WeighLogits::kBlock - 5);
    CHECK(row_passes(isa).count_equal(block.data(), 0.75f) == 0);
  }
}
