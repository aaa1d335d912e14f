#include <catch2/catch.hpp>
#include <optional>

#include "tests/kernels/gemm_case.h"

using namespace tern;

namespace {

Format any_format() {
  return GENERATE(from_range(example_formats()));
}

/// bf16 dot products count subnormals as zero.
bool keeps_subnormals(const Format& f) {
  return f.packing != &kBf16DotPacking;
}

/// Products of two tiny numbers are nothing, and f16 holds no large ones.
Values weight_values(const Format& f, Values values) {
  return values == Values::kTiny || f.packing == &kF16Packing ? Values::kPlain : values;
}

/// |w| of one row, as Gemm::kTolerance counts it.
std::vector<float> magnitudes(const WeightView& w, int64_t row) {
  std::vector<float> all(w.cols);
  w.format.packing->unpack_row(w, row, all.data());
  for (float& v : all) v = std::abs(v);
  if (!w.format.encoding.offset) return all;
  for (float& v : all) v += 2 * 20;  // |b| <= 20 and |a c| <= |w| + |b|
  return all;
}

/// Rows whose products are subnormal round to multiples of 2^-149 in absolute terms.
std::vector<double> limits(const Gemm::Args& a, MatView<const float> x) {
  std::vector<double> all(a.x.rows * a.w.rows);
  const double step = keeps_subnormals(a.w.format) ? 0x1p-149 : 0x1p-126;
  for (int64_t o = 0; o < a.w.rows; ++o) {
    const std::vector<float> w = magnitudes(a.w, o);
    for (int64_t t = 0; t < a.x.rows; ++t) {
      double sum = a.bias ? std::abs(a.bias[o]) : 0;
      for (int64_t k = 0; k < a.w.cols; ++k) sum += std::abs(double(x.row(t)[k])) * w[k];
      all[t * a.w.rows + o] = Gemm::kTolerance * sum + double(a.w.cols + 1) * step;
    }
  }
  return all;
}

void check_parity(Shape s, const Format& f, Values values, bool with_bias) {
  const Weight w(f, s.out, s.in, weight_values(f, values), 1);
  GuardMatrix x(s.rows, s.in, 3), bias(1, s.out), y(s.rows, s.out, 5), expected(s.rows, s.out);
  x.fill(values, 2).make_read_only();
  bias.fill(values, 3).make_read_only();
  const Input input(f, x.read());
  Gemm::Args a{.x = input.view, .w = w.view, .y = expected.view()};
  if (with_bias) a.bias = bias.view().data;
  gemm_ref(a, {});
  const std::vector<double> limit = limits(a, x.read());
  a.y = y.view();
  for (const TestedKernel<Gemm>& k : tested_kernels(kernels().gemm)) {
    if (!k.supports(a)) continue;
    CAPTURE(k.name, f.name(), s.rows, s.out, s.in, int(values), with_bias);
    y.poison();
    k.run(a, {});
    REQUIRE(first_error(y.read(), expected.read(),
                        [&](int64_t r, int64_t c) { return limit[r * s.out + c]; }) == "");
    REQUIRE(y.intact());
  }
}

}  // namespace

TEST_CASE("every gemm kernel agrees with the reference", "[gemm][EC-15]") {
  const Format f = any_format();
  for (const auto& [out, in] : std::initializer_list<std::pair<int, int>>{{1, 1},
                                                                          {15, 1},
                                                                          {16, 63},
                                                                          {17, 64},
                                                                          {31, 96},
                                                                          {33, 576},
                                                                          {48, 577},
                                                                          {129, 33},
                                                                          {160, 16}})
    for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33})
      check_parity({rows, out, in}, f, Values::kOutliers, (rows + out) % 2 == 0);
}

TEST_CASE("gemm kernels cut K, rows and panels where the reference does not", "[gemm]") {
  const Format f = any_format();
  check_parity({19, 401, 1030}, f, Values::kPlain, true);
  check_parity({70, 40, 513}, f, Values::kPlain, true);
  check_parity({129, 17, 1025}, f, Values::kOutliers, false);
}

TEST_CASE("gemm kernels take subnormal and large values", "[gemm]") {
  const Format f = any_format();
  for (const Values values : {Values::kTiny, Values::kLarge})
    for (const int64_t rows : {1, 9}) check_parity({rows, 33, 96}, f, values, true);
}

TEST_CASE("a gemm row has the same bits in any batch and on any threads", "[gemm][EC-18]") {
  const Format f = any_format();
  const int64_t out = 263, in = 577, most = 40;
  const Weight w(f, out, in, Values::kPlain, 1);
  GuardMatrix x(most, in, 1), bias(1, out), alone(most, out), y(most, out);
  x.fill(Values::kOutliers, 2);
  bias.fill(Values::kPlain, 3);
  const Input input(f, x.read());
  for (const TestedKernel<Gemm>& k : tested_kernels(kernels().gemm)) {
    Gemm::Args a{.w = w.view, .bias = bias.view().data};
    if (!k.supports(a)) continue;
    for (int64_t row = 0; row < most; ++row) {
      a.x = {input.view.row(row), 1, in, input.view.stride};
      a.y = {alone.view().row(row), 1, out, out};
      k.run(a, {});
    }
    for (int64_t rows = 1; rows <= most; ++rows) {
      a.x = input.view, a.y = y.view();
      a.x.rows = a.y.rows = rows;
      for (ThreadPool* pool :
           {static_cast<ThreadPool*>(nullptr), pools()[0].get(), pools()[1].get()}) {
        CAPTURE(k.name, rows, num_threads(pool));
        y.poison();
        k.run(a, on_pool(pool));
        REQUIRE(first_difference(read_only(a.y), alone.read()) == "");
      }
    }
  }
}

TEST_CASE("gemm kernels with fma agree in every bit", "[gemm][EC-20]") {
  const Format f = any_format();
  const Values values = GENERATE(from_range(kAllValues));
  const Weight w(f, 95, 700, weight_values(f, values), 1);
  GuardMatrix x(23, 700), first(23, 95), y(23, 95);
  x.fill(values, 2);
  const Input input(f, x.read());
  bool have_first = false;
  for (const TestedKernel<Gemm>& k : tested_kernels(kernels().gemm)) {
    Gemm::Args a{.x = input.view, .w = w.view, .y = have_first ? y.view() : first.view()};
    if (!has_fma(k) || !k.supports(a)) continue;
    k.run(a, {});
    CAPTURE(k.name);
    if (have_first) REQUIRE(first_difference(y.read(), first.read()) == "");
    have_first = true;
  }
}
