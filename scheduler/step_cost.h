// How long a step takes, learnt from the steps themselves.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace tern {

/// Seconds of a step as a line over its tokens (base + tokens × slope), by least squares over the
/// steps so far, each newer one weighing more. A plain copy; one thread.
class StepCostModel {
 public:
  struct Line {
    Seconds base, per_token;
  };

  /// `decay` is what an observation keeps of its weight with each newer one: 0.99 for the last
  /// hundred.
  explicit StepCostModel(double decay = 0.99) : decay_(decay) {}

  void observe(int32_t num_tokens, Seconds took);

  /// 0 before the first observation.
  Seconds predict(int64_t num_tokens) const;

  /// None while the steps were nearly of one size, which tells nothing of others.
  std::optional<Line> line() const;

 private:
  double decay_;
  // Decayed sums of 1, x, y, xx, xy with x tokens and y seconds.
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace tern
