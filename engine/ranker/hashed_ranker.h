// The ranker that tern ships: a linear function of hashed words, some microseconds a prompt.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/sha256.h"
#include "base/status.h"
#include "engine/ranker/features.h"
#include "engine/ranker/length_curve.h"
#include "scheduler/ranker.h"

namespace tern {

/// score = w · x with x of extract_features(). Immutable.
class HashedRanker final : public Ranker {
 public:
  /// `weights` [kNumFeatureBuckets] are rounded to f16, as a file holds them. kInvalidArgument
  /// naming the first that is not finite then, or their number.
  static Result<HashedRanker> make(std::span<const float> weights, LengthCurve curve);

  std::string_view name() const override { return "hashed"; }
  uint64_t version() const override;
  float score(const RankerInput& input) const override;
  double expected_output_tokens(float score) const override { return curve_.tokens(score); }

  std::span<const float> weights() const { return weights_; }
  const LengthCurve& curve() const { return curve_; }

  /// Covers the definition of the features, the weights and the curve; version() is its first 64
  /// bits.
  const Sha256& digest() const { return digest_; }

 private:
  HashedRanker(std::vector<float> weights, LengthCurve curve);

  std::vector<float> weights_;  // each an f16
  LengthCurve curve_;
  Sha256 digest_;
};

}  // namespace tern
