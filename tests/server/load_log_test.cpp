#include <catch2/catch.hpp>

#include "server/load_log.h"

using namespace tern;

namespace {

constexpr uint64_t kTotal = 4'000'000'000;

TimePoint at(double seconds) {
  return TimePoint() + to_duration(Seconds(seconds));
}

LoadProgress weights(double fraction) {
  return {.stage = "weights", .done_bytes = uint64_t(fraction * kTotal), .total_bytes = kTotal};
}

}  // namespace

TEST_CASE("a quick start logs nothing before its summary", "[server][load]") {
  LoadLog log(at(0));
  CHECK(log.on_progress({.stage = "config"}, at(0)).empty());
  CHECK(log.on_progress({.stage = "tokenizer"}, at(0.01)).empty());
  for (const double f : {0.0, 0.3, 0.6, 1.0})
    CHECK(log.on_progress(weights(f), at(0.2 + f / 2)).empty());
  CHECK(log.on_progress({.stage = "memory"}, at(0.7)).empty());
  CHECK(log.summary(at(0.75)) ==
        "config 0.01 s, tokenizer 0.19 s, weights 0.50 s (4.00 GB, 8.00 GB/s), memory 0.05 s");
}

TEST_CASE("a slow start logs a line a second while there is progress", "[server][load]") {
  LoadLog log(at(0));
  CHECK(log.on_progress({.stage = "config"}, at(0)).empty());
  CHECK(log.on_progress({.stage = "tokenizer"}, at(2)) == "loading tokenizer");
  CHECK(log.on_progress(weights(0), at(2.5)).empty());
  CHECK(log.on_progress(weights(0.25), at(4.5)) ==
        "loading weights: 1.00 of 4.00 GB (25 %), 0.50 GB/s");
  CHECK(log.on_progress(weights(0.5), at(5.2)).empty());  // not a second
  CHECK(log.on_progress(weights(0.3), at(6)).empty());    // not a tenth
  CHECK(log.on_progress(weights(0.35), at(6.5)) ==
        "loading weights: 1.40 of 4.00 GB (35 %), 0.35 GB/s");
  CHECK(log.on_progress(weights(0.36), at(16)).empty());
  CHECK(!log.on_progress(weights(0.36), at(16.6)).empty());  // ten seconds without a word
}
