#include "bench/support/arrivals.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

using namespace tern::bench;

namespace {

struct GapStatistics {
  double mean = 0, variation = 0;  // standard deviation over the mean
};

GapStatistics gaps_of(const std::vector<double>& at) {
  double sum = 0, squares = 0, last = 0;
  for (const double t : at) {
    sum += t - last;
    squares += (t - last) * (t - last);
    last = t;
  }
  const double n = double(at.size()), mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean) / mean};
}

}  // namespace

TEST_CASE("gaps are Gamma: the coefficient of variation is 1 / sqrt(burstiness)",
          "[bench][support][arrivals]") {
  constexpr uint64_t kCount = 40000;
  for (const double burstiness : {0.25, 1.0, 4.0, 1000.0}) {
    const auto at = draw_arrivals(kCount, 50, burstiness, 7);
    const GapStatistics gaps = gaps_of(at);
    CHECK(gaps.mean == Approx(1.0 / 50).epsilon(1e-9));  // rescaled
    // The sampling error of a coefficient of variation c is about c · sqrt((1 + 2c²) / 2n), some
    // more for the heavy tail of small shapes.
    const double expected = 1 / std::sqrt(burstiness);
    CHECK(gaps.variation == Approx(expected).epsilon(0.05));
    CHECK(std::is_sorted(at.begin(), at.end()));
  }
}

TEST_CASE("a Poisson process: as many gaps are over t as exp(-rate t) says",
          "[bench][support][arrivals]") {
  const auto at = draw_arrivals(40000, 10, 1, 3);
  for (const double t : {0.02, 0.1, 0.3}) {
    double over = 0, last = 0;
    for (const double x : at) {
      over += x - last > t;
      last = x;
    }
    // Three standard deviations of a share of 40000 are at most 0.0075.
    CHECK(std::abs(over / 40000 - std::exp(-10 * t)) < 0.01);
  }
}

TEST_CASE("the run lasts count / rate, and equal seeds are equal runs",
          "[bench][support][arrivals]") {
  const auto at = draw_arrivals(300, 20, 0.5, 11);
  CHECK(at.back() == Approx(15).epsilon(1e-12));
  CHECK(at == draw_arrivals(300, 20, 0.5, 11));
  CHECK(at != draw_arrivals(300, 20, 0.5, 12));
  CHECK(draw_arrivals(3, INFINITY, 1, 0) == std::vector<double>{0, 0, 0});
  CHECK(draw_arrivals(0, 5, 1, 0).empty());
}
