// How measured values are distributed.
#pragma once

#include <cstdint>
#include <vector>

namespace tern::bench {

/// The value below which `percent` of `sorted` lies, interpolated linearly as numpy does; 0 of
/// none. `percent` in [0, 100].
double percentile(const std::vector<double>& sorted, double percent);

/// How the values of one latency are distributed; all are 0 where there were none. `std` is the
/// population's.
struct Distribution {
  uint64_t count = 0;
  double mean = 0, median = 0, std = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};
Distribution describe(std::vector<double> values);

}  // namespace tern::bench
