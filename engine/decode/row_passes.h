// The passes of sampling over all entries of a vocabulary, in vectors.
#pragma once

#include <cstdint>

#include "base/cpu_info.h"

namespace tern {

struct LargestLogit {
  float value = 0;      ///< -inf where no value is a number above it
  int32_t id = 0;       ///< the lowest that has it
  bool finite = false;  ///< every value is a finite number
};

/// e^((logit - largest) × scale) of a row, and sums and maxima of its blocks.
struct WeighLogits {
  /// Entries of a block. A row's last block may be shorter.
  static constexpr int64_t kBlock = 128;
  static constexpr int64_t num_blocks(int64_t count) { return (count + kBlock - 1) / kBlock; }

  const float* logits;   ///< [count], none NaN nor +inf; -inf weighs 0
  int64_t count;         ///< at least 1
  float largest;         ///< of `logits`: the weights are in [0, 1]
  double scale;          ///< > 0
  float min_weight;      ///< a smaller weight becomes 0
  float* weights;        ///< [num_blocks(count) × kBlock]: beyond `count` zeros are written
  double* block_sum;     ///< [num_blocks(count)]
  float* block_largest;  ///< [num_blocks(count)]
};

/// Weights to be told apart by two bounds: those from `limit` on, those of [lowest, limit), and the
/// rest.
struct SplitWeights {
  const float* weights;  ///< [count], at least 0
  int64_t count;
  const float* block_largest;  ///< as of WeighLogits; null where it is not known
  float lowest, limit;         ///< lowest <= limit
  float*
      between;  ///< [count + 16] those of [lowest, limit), in their order; may be `weights` itself
};

struct SplitSums {
  double sum_above = 0;  ///< of those from `limit` on
  int64_t num_above = 0;
  double sum_between = 0;
  int64_t num_between = 0;
};

/// The passes as one instruction set's build has them. All builds give the same bits: products and
/// sums are rounded one by one, and sums run in 16 lanes and a fixed tree, whatever the registers.
struct RowPasses {
  /// Of `count` >= 1 values.
  LargestLogit (*find_largest)(const float* values, int64_t count);

  /// A weight is within 1.3 units in the last place of e^x: 0.35 are of rounding the exponent to
  /// 2^-24, 0.45 of the polynomial and of rounding it, 0.5 of the weight. It is 1 for the largest
  /// logit, and where e^x is below 2^-126 anything from 0 to that.
  void (*weigh)(const WeighLogits& args);

  /// Sums up, and picks, what lies beyond two bounds.
  SplitSums (*split)(const SplitWeights& args);

  /// How many of a block of WeighLogits::kBlock weights are equal to this one.
  int32_t (*count_equal)(const float* block, float weight);
};

/// The best that `isa` covers.
const RowPasses& row_passes(Isa isa);

}  // namespace tern
