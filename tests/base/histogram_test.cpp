#include "base/histogram.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace tern;

TEST_CASE("a bound belongs to the bucket below it", "[histogram]") {
  static constexpr double kBounds[] = {1, 2, 5};
  Histogram h(kBounds);
  for (const double value : {0.0, 1.0, 1.5, 2.0, 5.0, 5.1, 1e9}) h.observe(value);
  const std::vector<uint64_t> counts(h.counts().begin(), h.counts().end());
  CHECK(counts == std::vector<uint64_t>{2, 2, 1, 2});
  CHECK(h.count() == 7);
  CHECK(h.sum() == Approx(1e9 + 14.6));
}
