#include <catch2/catch.hpp>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

void check_rows(int64_t tokens, int64_t rows, int64_t cols) {
  GuardMatrix x(tokens, cols, 3), y(rows, cols, 5);
  x.fill(Values::kOutliers, 1).make_read_only();
  GuardBuffer<int32_t> from(rows);
  for (int64_t r = 0; r < rows; ++r) from[r] = int32_t((tokens - 1 + 5 * r) % tokens);
  for (const TestedKernel<GatherRows>& k : tested_kernels(kernels().gather_rows))
    for (const bool in_order : {false, true}) {
      if (in_order && rows > tokens) continue;
      CAPTURE(k.name, tokens, rows, cols, in_order);
      y.poison();
      k.run({.x = x.read(), .rows = in_order ? nullptr : from.data(), .y = y.view()},
            on_pool(pools()[0].get()));
      for (int64_t r = 0; r < rows; ++r) {
        const float* expected = x.read().row(in_order ? r : from[r]);
        REQUIRE(std::equal(expected, expected + cols, y.read().row(r)));
      }
      REQUIRE(y.intact());
    }
}

void check_cols(int64_t tokens, int64_t in, int64_t out) {
  GuardMatrix x(tokens, in, 3), y(tokens, out, 5);
  x.fill(Values::kOutliers, 1).make_read_only();
  GuardBuffer<int32_t> from(out);
  for (int64_t k = 0; k < out; ++k) from[k] = int32_t((in - 1 + 7 * k) % in);
  for (const TestedKernel<GatherCols>& k : tested_kernels(kernels().gather_cols)) {
    CAPTURE(k.name, tokens, in, out);
    y.poison();
    k.run({.x = x.read(), .cols = from.data(), .y = y.view()}, on_pool(pools()[0].get()));
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t c = 0; c < out; ++c) REQUIRE(y.read().row(t)[c] == x.read().row(t)[from[c]]);
    REQUIRE(y.intact());
  }
}

}  // namespace

TEST_CASE("every gather_rows kernel copies the rows that it is told", "[gather]") {
  for (const int64_t cols : {1, 15, 17, 577})
    for (const int64_t rows : {0, 1, 3, 40}) check_rows(9, rows, cols);
}

TEST_CASE("every gather_cols kernel copies the columns that it is told", "[gather]") {
  for (const int64_t tokens : {0, 1, 40})
    for (const int64_t out : {1, 16, 33, 600}) check_cols(tokens, 129, out);
}
