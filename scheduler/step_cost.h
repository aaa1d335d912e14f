// How long a step takes, learnt from the steps themselves.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace tern {

/// Seconds of a step as a line over its tokens (base + tokens × slope), by least squares over the
/// steps so far, each newer one weighing more: the last hundred count. A plain copy; one thread.
class StepCostModel {
 public:
  void observe(int32_t num_tokens, Seconds took);

  /// 0 before the first observation.
  Seconds predict(int64_t num_tokens) const;

 private:
  // Decayed sums of 1, x, y, xx, xy with x tokens and y seconds.
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace tern
