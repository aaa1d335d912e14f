#include <catch2/catch.hpp>
#include <cmath>

#include "tests/kernels/kernel_test.h"

using namespace tern;

TEST_CASE("every add kernel equals the reference", "[add]") {
  const Values values = GENERATE(from_range(kAllValues));
  for (const int64_t rows : {0, 1, 3, 70})
    for (const int64_t cols : {1, 15, 16, 17, 31, 33, 96, 577}) {
      GuardMatrix x(rows, cols, 3), start(rows, cols), expected(rows, cols), y(rows, cols, 5);
      x.fill(values, 1).make_read_only();
      start.fill(values, 2);
      copy(start.read(), expected.view());
      add_ref({.x = x.read(), .y = expected.view()}, {});
      for (const TestedKernel<Add>& k : tested_kernels(kernels().add))
        for (ThreadPool* pool :
             {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
          CAPTURE(k.name, rows, cols, int(values), num_threads(pool));
          y.poison();
          copy(start.read(), y.view());
          k.run({.x = x.read(), .y = y.view()}, on_pool(pool));
          REQUIRE(first_difference(y.read(), expected.read()) == "");
          REQUIRE(y.intact());
        }
    }
}

TEST_CASE("every add kernel scales", "[add]") {
  for (const float scale : {0.4f, -3.0f, 0.0f}) {
    GuardMatrix x(5, 77, 3), start(5, 77), expected(5, 77), y(5, 77, 5);
    x.fill(Values::kOutliers, 1).make_read_only();
    start.fill(Values::kOutliers, 2);
    copy(start.read(), expected.view());
    add_ref({.x = x.read(), .scale = scale, .y = expected.view()}, {});
    for (const TestedKernel<Add>& k : tested_kernels(kernels().add)) {
      CAPTURE(k.name, scale);
      y.poison();
      copy(start.read(), y.view());
      k.run({.x = x.read(), .scale = scale, .y = y.view()}, on_pool(nullptr));
      for (int64_t t = 0; t < 5; ++t)
        for (int64_t i = 0; i < 77; ++i) {
          const double unit =
              std::abs(start.read().row(t)[i]) + std::abs(double(scale) * x.read().row(t)[i]);
          REQUIRE(std::abs(double(y.read().row(t)[i]) - expected.read().row(t)[i]) <=
                  Add::kTolerance * unit);
        }
      REQUIRE(y.intact());
    }
  }
}
