// Counts of values by size, a plain copy.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"

namespace tern {

/// Buckets as Prometheus means them: bucket i counts values in (bound i-1, bound i], one more
/// counts what is over the last bound. Allocates nothing. One thread.
class Histogram {
 public:
  static constexpr size_t kMaxBounds = 32;

  /// `bounds` rise, are at most kMaxBounds, and outlive this.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {
    TERN_CHECK(bounds.size() <= kMaxBounds, "a histogram's buckets fit into it");
  }

  void observe(double value) {
    ++counts_[std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin()];
    ++count_;
    sum_ += value;
  }

  std::span<const double> bounds() const { return bounds_; }
  std::span<const uint64_t> counts() const { return {counts_.data(), bounds_.size() + 1}; }
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::array<uint64_t, kMaxBounds + 1> counts_{};
  uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace tern
