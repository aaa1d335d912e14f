// Draws of a workload: pure functions of (seed, purpose, number), so that request i is the same
// whatever was sent before it.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace tern::bench {

/// What a draw is for.
enum class Draw : uint64_t { kGap, kLength, kPrompt, kCancel, kSampling, kBlock, kRow, kNoise };

/// The seed of one purpose's draws.
constexpr uint64_t seed_of(uint64_t seed, Draw draw) {
  return random_bits(seed, RngStream::kSimulation, uint64_t(draw));
}

/// Uniform in [0, 1).
constexpr double uniform(uint64_t seed, Draw draw, uint64_t index) {
  return random_uniform(seed_of(seed, draw), RngStream::kSimulation, index);
}

/// A length that is uniform in [(1 - range_ratio) · length, (1 + range_ratio) · length], and at
/// least 1.
inline int32_t draw_length(int32_t length, double range_ratio, uint64_t seed, uint64_t index) {
  const double least = std::max(1.0, std::floor(length * (1 - range_ratio)));
  const double most = std::max(least, std::ceil(length * (1 + range_ratio)));
  return int32_t(least + std::floor(uniform(seed, Draw::kLength, index) * (most - least + 1)));
}

/// A generator for the standard library's distributions, in the counter's order.
class CounterRng {
 public:
  using result_type = uint64_t;
  explicit CounterRng(uint64_t seed) : seed_(seed) {}
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() { return random_bits(seed_, RngStream::kSimulation, next_++); }

 private:
  const uint64_t seed_;
  uint64_t next_ = 0;
};

}  // namespace tern::bench
