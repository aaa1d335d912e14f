// From a ranker's scores to lengths: a curve through the quantiles of a training set.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// A point of the curve.
struct LengthKnot {
  float score = 0;
  float tokens = 0;  ///< mean length of answers to prompts of about this score
};

inline constexpr int32_t kMaxLengthKnots = 64;
inline constexpr float kMaxLength = 1e9f;  ///< of an answer, in tokens

/// Piecewise linear through its knots, level before the first and behind the last. Never falls.
class LengthCurve {
 public:
  /// 1 to kMaxLengthKnots knots of finite, rising scores and lengths that never fall, in [0,
  /// kMaxLength]; else kInvalidArgument naming knot, limit and value.
  static Result<LengthCurve> make(std::vector<LengthKnot> knots);

  /// Through the means of quantiles: items in the order of their scores are cut into at most 20
  /// parts of at least 8, and parts whose means would fall are joined (pool adjacent violators), so
  /// that the curve rises. Not empty, sizes equal, scores finite, lengths in [0, kMaxLength].
  static LengthCurve fit(std::span<const float> scores, std::span<const double> lengths);

  /// NaN gives the length in the middle of the scores.
  double tokens(float score) const;

  std::span<const LengthKnot> knots() const { return knots_; }

 private:
  explicit LengthCurve(std::vector<LengthKnot> knots) : knots_(std::move(knots)) {}

  std::vector<LengthKnot> knots_;
};

}  // namespace tern
