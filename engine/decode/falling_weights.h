// The most probable tokens of a row without sorting it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

/// A token that can be drawn.
struct Candidate {
  float weight = 0;  ///< its probability times an unknown factor
  int32_t id = 0;
};

/// The order in which top_k and top_p keep tokens: of equal weights the lower id first.
inline bool comes_before(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

/// A row's weights in that order, by their running sum: buckets of nearly equal weights are added
/// up, and only the bucket that is asked for is sorted. Allocates nothing after the constructor.
/// One thread.
class FallingWeights {
 public:
  /// For up to `max_count` weights.
  explicit FallingWeights(int64_t max_count);

  /// Whole blocks of WeighLogits::kBlock weights in [0, 1] and the largest of each, which must live
  /// as long as find() is called. Blocks whose weights are all below `least` may be left out.
  void assign(std::span<const float> weights, std::span<const float> block_largest, float least);

  struct Place {
    Candidate candidate;
    double sum = 0;  ///< of all weights up to and with the candidate's
  };

  /// The first whose running sum is at least `sum` (`beyond`: more than `sum`), or the last, where
  /// rounding leaves none. There must be a weight above 0.
  Place find(double sum, bool beyond);

 private:
  void gather(uint32_t bucket);
  void narrow(double& before, double sum, bool beyond);

  std::span<const float> weights_;
  std::span<const float> block_largest_;
  std::vector<double> bucket_sums_;  // [kNumBuckets]
  std::vector<Candidate> gathered_;
};

}  // namespace tern
