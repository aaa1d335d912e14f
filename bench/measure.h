// Timing: samples, and what is said of them.
#pragma once

#include <algorithm>
#include <vector>

#include "base/clock.h"

namespace tern {

inline double seconds_since(TimePoint start) {
  return to_seconds(std::chrono::steady_clock::now() - start);
}

/// The middle value, the upper one of two; 0 where there are none.
inline double median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

/// What several passes reached, in operations or bytes a second.
struct Rate {
  double best = 0;
  double median = 0;
};

/// work() does something and returns how much that was.
template <class Work>
Rate measure_rate(int passes, const Work& work) {
  std::vector<double> rates;
  for (int i = 0; i < passes; ++i) {
    const TimePoint start = std::chrono::steady_clock::now();
    const double done = work();
    rates.push_back(done / std::max(seconds_since(start), 1e-9));
  }
  return {*std::max_element(rates.begin(), rates.end()), median(rates)};
}

/// How long one call takes, in seconds.
struct CallTime {
  double best = 0;
  double median = 0;
};

/// Samples of call(i), i counting all calls, after one that is not counted. A sample is so many
/// calls that it takes `sample_s`; no sample begins `most_s` after the first call, but one is
/// taken.
template <class Call>
CallTime time_calls(int repeat, double sample_s, double most_s, const Call& call) {
  const TimePoint start = std::chrono::steady_clock::now();
  call(0);
  const double first = std::max(seconds_since(start), 1e-9);
  const int64_t calls = std::clamp<int64_t>(int64_t(sample_s / first) + 1, 1, 1 << 20);
  std::vector<double> samples;
  int64_t next = 1;
  do {
    const TimePoint begin = std::chrono::steady_clock::now();
    for (int64_t end = next + calls; next < end; ++next) call(next);
    samples.push_back(std::max(seconds_since(begin), 1e-9) / double(calls));
  } while (int(samples.size()) < repeat && seconds_since(start) < most_s);
  return {*std::min_element(samples.begin(), samples.end()), median(samples)};
}

}  // namespace tern
