#include "scheduler/step_cost.h"

#include <algorithm>

namespace tern {
namespace {

constexpr double kDecay = 0.99;

}  // namespace

void StepCostModel::observe(int32_t num_tokens, Seconds took) {
  const double x = num_tokens;
  const double y = took.count();
  for (double* sum : {&n_, &x_, &y_, &xx_, &xy_}) *sum *= kDecay;
  n_ += 1;
  x_ += x;
  y_ += y;
  xx_ += x * x;
  xy_ += x * y;
}

Seconds StepCostModel::predict(int64_t num_tokens) const {
  if (n_ == 0) return Seconds(0);
  const double mean_x = x_ / n_;
  const double mean_y = y_ / n_;
  const double variance = xx_ / n_ - mean_x * mean_x;
  const double covariance = xy_ / n_ - mean_x * mean_y;
  // Steps of one size tell nothing of others: a token costs its share then, which is too much for
  // larger steps, and no line leads below zero.
  double slope = variance > 1e-3 * mean_x * mean_x ? covariance / variance : mean_y / mean_x;
  slope = std::clamp(slope, 0.0, mean_y / mean_x);
  return Seconds(mean_y + slope * (double(num_tokens) - mean_x));
}

}  // namespace tern
