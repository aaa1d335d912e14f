#include "scheduler/step_cost.h"

#include <algorithm>

namespace tern {

void StepCostModel::observe(int32_t num_tokens, Seconds took) {
  const double x = num_tokens;
  const double y = took.count();
  for (double* sum : {&n_, &x_, &y_, &xx_, &xy_}) *sum *= decay_;
  n_ += 1;
  x_ += x;
  y_ += y;
  xx_ += x * x;
  xy_ += x * y;
}

std::optional<StepCostModel::Line> StepCostModel::line() const {
  if (n_ == 0) return {};
  const double mean_x = x_ / n_;
  const double mean_y = y_ / n_;
  const double variance = xx_ / n_ - mean_x * mean_x;
  if (variance <= 1e-3 * mean_x * mean_x) return {};
  const double covariance = xy_ / n_ - mean_x * mean_y;
  const double slope = std::clamp(covariance / variance, 0.0, mean_y / mean_x);  // base >= 0
  return Line{Seconds(mean_y - slope * mean_x), Seconds(slope)};
}

Seconds StepCostModel::predict(int64_t num_tokens) const {
  if (n_ == 0) return Seconds(0);
  if (const auto known = line()) return known->base + known->per_token * double(num_tokens);
  // A token costs its share then, which is too much for larger steps.
  return Seconds(y_ / x_ * double(num_tokens));
}

}  // namespace tern
