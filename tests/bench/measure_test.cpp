#include <catch2/catch.hpp>

#include "bench/measure.h"

using namespace tern;

TEST_CASE("the median is the middle value whatever the order", "[bench][measure]") {
  CHECK(median({}) == 0);
  CHECK(median({3}) == 3);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({9, 1, 5, 7}) == 7);
}

TEST_CASE("calls are numbered through all samples, the first one is not counted",
          "[bench][measure]") {
  std::vector<int64_t> calls;
  const CallTime time = time_calls(3, 0, 1e9, [&](int64_t i) { calls.push_back(i); });
  CHECK(calls == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(time.best > 0);
  CHECK(time.best <= time.median);
}

TEST_CASE("one sample is taken though time is up", "[bench][measure]") {
  int64_t calls = 0;
  time_calls(50, 0, 0, [&](int64_t) { ++calls; });
  CHECK(calls == 2);
}
