// What the parity tests of all operations share: hostile inputs, poisoned and guarded outputs,
// exact and bounded comparison.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "kernels/registry.h"
#include "tests/kernels/tested_kernel.h"
#include "tests/support/guard_buffer.h"

namespace tern {

enum class Values { kPlain, kOutliers, kTiny, kLarge };

inline constexpr std::array kAllValues{Values::kPlain, Values::kOutliers, Values::kTiny,
                                       Values::kLarge};

/// Number `i` of the sequence `seed`: within ±1; one in 17 is 20 times larger; a subnormal or zero;
/// around 1e12.
inline float random_value(Values values, uint64_t seed, uint64_t i) {
  const float v = static_cast<float>(random_uniform(seed, RngStream::kTest, i) * 2 - 1);
  switch (values) {
    case Values::kPlain:
      return v;
    case Values::kOutliers:
      return random_bits(seed + 1, RngStream::kTest, i) % 17 == 0 ? 20 * v : v;
    case Values::kTiny:
      return i % 5 == 0 ? 0.0f : v * 1e-39f;
    case Values::kLarge:
      return v * 1e12f;
  }
  return v;
}

/// A matrix whose last row ends at an inaccessible page and whose rows lie `gap` NaNs apart.
class GuardMatrix {
 public:
  GuardMatrix(int64_t rows, int64_t cols, int64_t gap = 0)
      : rows_(rows),
        cols_(cols),
        stride_(cols + gap),
        buffer_(rows == 0 ? 0 : (rows - 1) * (cols + gap) + cols) {}

  GuardMatrix& fill(Values values, uint64_t seed) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c)
        view().row(r)[c] = random_value(values, seed, r * cols_ + c);
    return *this;
  }
  GuardMatrix& make_read_only() {
    buffer_.make_read_only();
    return *this;
  }
  void poison() { buffer_.poison(); }

  MatView<float> view() const { return {buffer_.data(), rows_, cols_, stride_}; }
  MatView<const float> read() const { return read_only(view()); }

  /// Nothing was written outside the rows.
  bool intact() const {
    for (int64_t r = 0; r + 1 < rows_; ++r)
      for (int64_t i = cols_; i < stride_; ++i)
        if (std::bit_cast<uint32_t>(view().row(r)[i]) != 0xffffffffu) return false;
    return buffer_.intact();
  }

 private:
  int64_t rows_, cols_, stride_;
  GuardBuffer<float> buffer_;
};

inline void copy(MatView<const float> from, MatView<float> to) {
  for (int64_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), from.cols, to.row(r));
}

/// Where `y` and `expected` first differ by more than limit(row, col), NaN included; empty if
/// nowhere.
inline std::string first_error(MatView<const float> y, MatView<const float> expected,
                               const std::function<double(int64_t, int64_t)>& limit) {
  for (int64_t r = 0; r < y.rows; ++r)
    for (int64_t c = 0; c < y.cols; ++c) {
      const double got = y.row(r)[c], want = expected.row(r)[c];
      if (!(std::abs(got - want) <= limit(r, c)))
        return "[" + std::to_string(r) + ", " + std::to_string(c) + "]: " + std::to_string(got) +
               ", expected " + std::to_string(want) + " within " + std::to_string(limit(r, c));
    }
  return "";
}

/// Where `y` and `expected` first differ in a bit; empty if nowhere.
inline std::string first_difference(MatView<const float> y, MatView<const float> expected) {
  for (int64_t r = 0; r < y.rows; ++r)
    for (int64_t c = 0; c < y.cols; ++c)
      if (std::bit_cast<uint32_t>(y.row(r)[c]) != std::bit_cast<uint32_t>(expected.row(r)[c]))
        return "[" + std::to_string(r) + ", " + std::to_string(c) + "] differs";
  return "";
}

/// Pools of 2 and 3 threads, made once: their results must equal those of the calling thread alone.
inline const std::vector<std::unique_ptr<ThreadPool>>& pools() {
  static const auto all = [] {
    std::vector<std::unique_ptr<ThreadPool>> p;
    for (int threads : {2, 3}) p.push_back(std::make_unique<ThreadPool>(threads));
    return p;
  }();
  return all;
}

inline Exec on_pool(ThreadPool* pool) {
  return {.pool = pool};
}

/// The instruction sets that have an fma must agree in every bit; scalar rounds twice.
template <class Op>
bool has_fma(const TestedKernel<Op>& k) {
  return k.kernel.device == Device::kCpu && k.kernel.isa >= Isa::kAvx2;
}

}  // namespace tern
