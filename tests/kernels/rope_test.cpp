#include <catch2/catch.hpp>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

constexpr int64_t kPositions = 300;

struct Heads {
  int64_t num_heads, head_dim, rotary;
};

GuardMatrix angles(int64_t rotary) {
  GuardMatrix cos_sin(kPositions, rotary, 7);
  for (int64_t p = 0; p < kPositions; ++p)
    for (int64_t i = 0; i < rotary / 2; ++i) {
      const double angle = double(p) * std::pow(1e4, -2.0 * double(i) / double(rotary));
      cos_sin.view().row(p)[i] = static_cast<float>(std::cos(angle));
      cos_sin.view().row(p)[rotary / 2 + i] = static_cast<float>(std::sin(angle));
    }
  return std::move(cos_sin.make_read_only());
}

GuardBuffer<int32_t> positions(int64_t rows) {
  GuardBuffer<int32_t> p(rows);
  for (int64_t t = 0; t < rows; ++t) p[t] = int32_t((kPositions - 1 + t * 97) % kPositions);
  p.make_read_only();
  return p;
}

void check_parity(int64_t rows, Heads h, Values values) {
  const int64_t cols = h.num_heads * h.head_dim;
  const GuardMatrix cos_sin = angles(h.rotary);
  const GuardBuffer<int32_t> at = positions(rows);
  GuardMatrix x(rows, cols, 3), expected(rows, cols), y(rows, cols, 5);
  x.fill(values, 1).make_read_only();
  copy(x.read(), expected.view());
  Rope::Args a{.x = expected.view(),
               .positions = at.data(),
               .head_dim = h.head_dim,
               .cos_sin = cos_sin.read()};
  rope_ref(a, {});
  const auto limit = [&](int64_t r, int64_t c) {
    const int64_t i = c % h.head_dim, half = h.rotary / 2;
    if (i >= h.rotary) return 0.0;  // passes through
    const float* pair = x.read().row(r) + c - i + i % half;
    return Rope::kTolerance * (std::abs(double(pair[0])) + std::abs(double(pair[half]))) + 0x1p-148;
  };
  for (const TestedKernel<Rope>& k : tested_kernels(kernels().rope)) {
    CAPTURE(k.name, rows, h.num_heads, h.head_dim, h.rotary, int(values));
    y.poison();
    copy(x.read(), y.view());
    a.x = y.view();
    k.run(a, {});
    REQUIRE(first_error(y.read(), expected.read(), limit) == "");
    REQUIRE(y.intact());
  }
}

}  // namespace

TEST_CASE("every rope kernel agrees with the reference", "[rope]") {
  for (const int64_t rows : {0, 1, 5})
    for (const Heads h : {Heads{1, 2, 2},
                          {3, 6, 6},
                          {2, 16, 16},
                          {2, 31, 30},
                          {4, 32, 32},
                          {2, 34, 34},
                          {3, 64, 64},
                          {2, 80, 20},
                          {2, 66, 66},
                          {1, 128, 96}})
      for (const Values values : kAllValues) check_parity(rows, h, values);
}

TEST_CASE("a rope row takes the angles of its variant", "[rope]") {
  const int64_t rows = 7, cols = 2 * 16, positions_each = kPositions / 2;
  const GuardMatrix cos_sin = angles(16);
  GuardBuffer<int32_t> at(rows), variants(rows), moved(rows);
  for (int64_t t = 0; t < rows; ++t) {
    at[t] = int32_t(t * 13 % positions_each), variants[t] = int32_t(t % 2);
    moved[t] = at[t] + variants[t] * int32_t(positions_each);
  }
  GuardMatrix x(rows, cols), expected(rows, cols), y(rows, cols);
  x.fill(Values::kPlain, 1);
  for (const TestedKernel<Rope>& k : tested_kernels(kernels().rope)) {
    CAPTURE(k.name);
    copy(x.read(), expected.view());
    k.run({.x = expected.view(),
           .positions = moved.data(),
           .head_dim = 16,
           .cos_sin = cos_sin.read()},
          {});
    copy(x.read(), y.view());
    k.run({.x = y.view(),
           .positions = at.data(),
           .head_dim = 16,
           .cos_sin = cos_sin.read(),
           .variants = variants.data(),
           .variant_rows = positions_each},
          {});
    REQUIRE(first_difference(y.read(), expected.read()) == "");
  }
}

TEST_CASE("a rope row has the same bits in any batch, on any threads and with every fma",
          "[rope]") {
  const int64_t rows = 90, cols = 4 * 66;
  const GuardMatrix cos_sin = angles(66);
  const GuardBuffer<int32_t> at = positions(rows);
  GuardMatrix x(rows, cols), alone(rows, cols), first(rows, cols), y(rows, cols);
  x.fill(Values::kOutliers, 1);
  bool have_first = false;
  for (const TestedKernel<Rope>& k : tested_kernels(kernels().rope)) {
    copy(x.read(), alone.view());
    for (int64_t row = 0; row < rows; ++row)
      k.run({.x = {alone.view().row(row), 1, cols, cols},
             .positions = &at[row],
             .head_dim = 66,
             .cos_sin = cos_sin.read()},
            {});
    for (const auto& pool : pools()) {
      CAPTURE(k.name, pool->num_threads());
      copy(x.read(), y.view());
      k.run({.x = y.view(), .positions = at.data(), .head_dim = 66, .cos_sin = cos_sin.read()},
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
