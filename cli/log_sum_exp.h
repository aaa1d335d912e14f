// The normaliser of a softmax, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace tern {

/// log(Σ exp v). `v` must not be empty. NaN where an element is.
inline double log_sum_exp(std::span<const float> v) {
  const double largest = *std::max_element(v.begin(), v.end());
  double sum = 0;
  for (const float x : v) sum += std::exp(x - largest);
  return largest + std::log(sum);
}

}  // namespace tern
