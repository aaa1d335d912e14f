// The most probable tokens of a row without sorting it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/decode/row_passes.h"

namespace tern {

/// A row's weights in the order in which top_k and top_p keep tokens, the larger ones first and of
/// equal ones the lower id, by their running sum or their rank. A sample of the weights tells about
/// where a place is; one pass picks what is near it and sums up exactly what comes before.
/// Allocates nothing after the constructor. One thread.
class FallingWeights {
 public:
  /// A token in this order.
  struct Place {
    float weight = 0;
    double sum_before = 0;  ///< of all weights that come before it
    int64_t num_equal = 0;  ///< how many of these are equal to its own

    double sum() const { return sum_before + weight; }
  };

  /// For up to `max_count` weights, whole blocks of WeighLogits::kBlock.
  FallingWeights(int64_t max_count, const RowPasses& passes);

  /// Whole blocks of weights in [0, 1] and the largest of each, which must live as long as the
  /// other functions are called, and their sum, which must be above 0.
  void assign(std::span<const float> weights, std::span<const float> block_largest, double total);

  /// Ends the order behind the first `num` >= 1 and returns their sum. Changes nothing and returns
  /// nothing where no more than these are above 0.
  std::optional<double> keep_first(int64_t num);

  /// The first whose running sum is at least `sum` (`beyond`: more than `sum`), or the last above
  /// 0, where rounding leaves none.
  Place find(double sum, bool beyond);

  int32_t id_of(const Place& place) const;

  /// What the constructor takes of the memory.
  static size_t scratch_bytes(int64_t max_count);

 private:
  // The first place that has one of these, itself counted.
  struct Target {
    double sum;   // infinite where the number alone counts
    bool beyond;  // more than `sum` is wanted
    int64_t num;

    bool is_rank() const;
    bool is_reached(double running_sum, int64_t running_num) const;
  };

  /// Those weights of the row whose bits are in [lowest, limit): floats above 0 are ordered as
  /// their bits are.
  struct Bracket {
    uint32_t lowest, limit;  // bits of floats, which above 0 are ordered as these

    bool is_one() const;
  };
  // Those of the row's weights that are in a bracket.
  struct Part {
    std::span<const float> weights;  // without order; may hold others where it is the whole row
    const float* block_largest = nullptr;
    Bracket bracket;
    double sum;
    double sum_before = 0;  // of the larger ones in the row
    int64_t num_before = 0;

    int64_t num() const { return static_cast<int64_t>(weights.size()); }
    double sum_through() const { return sum_before + sum; }
    int64_t num_through() const { return num_before + num(); }
  };

  Place find(const Target& target);
  Part narrow(const Part& part, const Target& target, bool by_sample);
  Part split(const Part& from, Bracket bracket, std::vector<float>& to) const;
  static Bracket guess(const Part& part, const Target& target, bool by_sample);
  static Place place_in(const Part& part, const Target& target);

  const RowPasses* passes_;
  std::span<const float> weights_, block_largest_;
  Part whole_;
  int64_t num_kept_ = 0;
  std::vector<float> kept_, part_;  // by split()
};

}  // namespace tern
