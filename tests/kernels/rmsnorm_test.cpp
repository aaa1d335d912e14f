#include <catch2/catch.hpp>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

void check_parity(int64_t rows, int64_t width, Values values, float eps, int64_t groups = 1) {
  const int64_t cols = groups * width;
  GuardMatrix x(rows, cols, 3), gain(1, width), expected(rows, cols), y(rows, cols, 5);
  x.fill(values, 1).make_read_only();
  gain.fill(Values::kOutliers, 2).make_read_only();
  RmsNorm::Args a{
      .x = x.read(), .gain = gain.view().data, .width = width, .eps = eps, .y = expected.view()};
  rmsnorm_ref(a, {});
  const auto limit = [&](int64_t r, int64_t c) {
    return RmsNorm::kTolerance * std::abs(expected.view().row(r)[c]) + 0x1p-147;  // subnormal y
  };
  for (const TestedKernel<RmsNorm>& k : tested_kernels(kernels().rmsnorm)) {
    CAPTURE(k.name, rows, groups, width, int(values), eps);
    y.poison();
    a.x = x.read(), a.y = y.view();
    k.run(a, {});
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
    REQUIRE(y.intact());

    y.poison();
    copy(x.read(), y.view());
    a.x = y.read();  // in place
    k.run(a, {});
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
    REQUIRE(y.intact());
  }
}

}  // namespace

TEST_CASE("every rmsnorm kernel agrees with the reference", "[rmsnorm]") {
  for (const int64_t rows : {0, 1, 3})
    for (const int64_t cols : {1, 15, 16, 17, 31, 33, 63, 64, 96, 576, 577, 4096})
      for (const Values values : kAllValues) check_parity(rows, cols, values, 1e-5f);
  check_parity(2, 40, Values::kOutliers, 0.0f);
  for (const int64_t width : {1, 16, 33, 64}) check_parity(3, width, Values::kPlain, 1e-6f, 5);
}

TEST_CASE("a rmsnorm row has the same bits in any batch, on any threads and with every fma",
          "[rmsnorm][EC-18]") {
  const int64_t rows = 67, cols = 577;
  GuardMatrix x(rows, cols), gain(1, cols), alone(rows, cols), first(rows, cols), y(rows, cols);
  x.fill(Values::kOutliers, 1);
  gain.fill(Values::kPlain, 2);
  bool have_first = false;
  for (const TestedKernel<RmsNorm>& k : tested_kernels(kernels().rmsnorm)) {
    for (int64_t row = 0; row < rows; ++row)
      k.run({.x = {x.read().row(row), 1, cols, cols},
             .gain = gain.view().data,
             .width = cols,
             .y = {alone.view().row(row), 1, cols, cols}},
            {});
    for (const auto& pool : pools()) {
      CAPTURE(k.name, pool->num_threads());
      y.poison();
      k.run({.x = x.read(), .gain = gain.view().data, .width = cols, .y = y.view()},
            on_pool(pool.get()));
      REQUIRE(first_difference(y.read(), alone.read()) == "");
    }
    if (!has_fma(k)) continue;
    CAPTURE(k.name);
    if (have_first) REQUIRE(first_difference(y.read(), first.read()) == "");
    copy(y.read(), first.view());
    have_first = true;
  }
}
