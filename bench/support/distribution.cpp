#include "bench/support/distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tern::bench {

double percentile(const std::vector<double>& sorted, double percent) {
  if (sorted.empty()) return 0;
  const double at = double(sorted.size() - 1) * percent / 100;
  const size_t below = std::min(size_t(at), sorted.size() - 1);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - double(below));
}

Distribution describe(std::vector<double> values) {
  Distribution out;
  if (values.empty()) return out;
  std::ranges::sort(values);
  const double count = double(values.size());
  out.count = values.size();
  out.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.std = std::sqrt(squares / count);
  out.median = out.p50 = percentile(values, 50);
  out.p90 = percentile(values, 90);
  out.p95 = percentile(values, 95);
  out.p99 = percentile(values, 99);
  out.max = values.back();
  return out;
}

}  // namespace tern::bench
