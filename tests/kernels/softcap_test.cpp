#include <catch2/catch.hpp>
#include <cfloat>

#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

void check_parity(const GuardMatrix& x, float cap) {
  const int64_t rows = x.view().rows, cols = x.view().cols;
  GuardMatrix expected(rows, cols), y(rows, cols, 5);
  copy(x.read(), expected.view());
  softcap_ref({.cap = cap, .x = expected.view()}, {});
  const auto limit = [&](int64_t r, int64_t c) {
    return Softcap::kTolerance * (std::abs(double(expected.view().row(r)[c])) + 1e-30);
  };
  for (const TestedKernel<Softcap>& k : tested_kernels(kernels().softcap))
    for (ThreadPool* pool : {static_cast<ThreadPool*>(nullptr), pools()[1].get()}) {
      CAPTURE(k.name, rows, cols, cap, num_threads(pool));
      y.poison();
      copy(x.read(), y.view());
      k.run({.cap = cap, .x = y.view()}, on_pool(pool));
      REQUIRE(first_error(y.read(), expected.read(), limit) == "");
      REQUIRE(y.intact());
    }
}

}  // namespace

TEST_CASE("every softcap kernel agrees with the reference", "[softcap]") {
  for (const int64_t rows : {0, 1, 3, 70})
    for (const int64_t cols : {1, 15, 16, 17, 33, 577})
      for (const Values values : kAllValues)
        check_parity(GuardMatrix(rows, cols, 3).fill(values, 1).make_read_only(), 30.0f);
}

TEST_CASE("softcap keeps the last bits of small values and the sign of large ones", "[softcap]") {
  std::vector<float> x{0.0f, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-42f, -1e-45f, 1e30f};
  for (int i = -60000; i <= 60000; ++i) x.push_back(float(i) * 1.7e-4f);      // within ±10.2
  for (int i = -900; i <= 900; ++i) x.push_back(std::exp2(float(i) / 7.0f));  // to 2^±128
  for (int i = -900; i <= 900; ++i) x.push_back(-std::exp2(float(i) / 7.0f));
  for (const float cap : {1.0f, 30.0f, 50.0f, 1e-3f, 1e6f}) {
    GuardMatrix m(1, int64_t(x.size()));
    std::copy(x.begin(), x.end(), m.view().data);
    check_parity(m, cap);
  }
}

TEST_CASE("softcap lets infinity become the cap and keeps NaN", "[softcap]") {
  for (const TestedKernel<Softcap>& k : tested_kernels(kernels().softcap)) {
    std::vector<float> x{INFINITY, -INFINITY, NAN};
    k.run({.cap = 30, .x = {x.data(), 1, 3, 3}}, {});
    CAPTURE(k.name);
    CHECK(x[0] == 30);
    CHECK(x[1] == -30);
    CHECK(std::isnan(x[2]));
  }
}

TEST_CASE("softcap kernels with fma agree in every bit", "[softcap]") {
  GuardMatrix x(9, 577), y(9, 577), first(9, 577);
  x.fill(Values::kOutliers, 1);
  bool have_first = false;
  for (const TestedKernel<Softcap>& k : tested_kernels(kernels().softcap)) {
    if (!has_fma(k)) continue;
    copy(x.read(), y.view());
    k.run({.cap = 5, .x = y.view()}, {});
    CAPTURE(k.name);
    if (have_first) REQUIRE(first_difference(y.read(), first.read()) == "");
    copy(y.read(), first.view());
    have_first = true;
  }
}
