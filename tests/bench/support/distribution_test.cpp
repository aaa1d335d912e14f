#include "bench/support/distribution.h"

#include <catch2/catch.hpp>

using namespace tern::bench;

TEST_CASE("percentiles, mean and deviation are numpy's", "[bench][support][distribution]") {
  // numpy.percentile([0.1, 0.25, 0.15, 0.4, 0.2], [50, 90, 95, 99]), mean, std
  const Distribution d = describe({0.1, 0.25, 0.15, 0.4, 0.2});
  CHECK(d.count == 5);
  CHECK(d.mean == Approx(0.22).epsilon(1e-12));
  CHECK(d.std == Approx(0.102956301409).epsilon(1e-9));
  CHECK(d.p50 == Approx(0.2).epsilon(1e-12));
  CHECK(d.median == d.p50);
  CHECK(d.p90 == Approx(0.34).epsilon(1e-12));
  CHECK(d.p95 == Approx(0.37).epsilon(1e-12));
  CHECK(d.p99 == Approx(0.394).epsilon(1e-12));
  CHECK(d.max == 0.4);
  CHECK(percentile({7}, 99) == 7);
  CHECK(percentile({}, 50) == 0);
  CHECK(percentile({1, 2}, 0) == 1);
  CHECK(percentile({1, 2}, 100) == 2);
  CHECK(describe({}).mean == 0);
}
