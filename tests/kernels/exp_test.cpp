#include <catch2/catch.hpp>

#include "kernels/cpu/cpu_kernels.h"
#include "tests/kernels/kernel_test.h"

using namespace tern;

namespace {

/// Error in units of the last place of the exact result as f32 (of 2^-149 where it is subnormal).
double ulps(float got, double exact) {
  const double unit = exact < 0x1p-126 ? 0x1p-149 : std::exp2(std::floor(std::log2(exact)) - 23);
  return std::abs(got - exact) / unit;
}

std::vector<float> exp_of(const CpuKernels& k, const std::vector<float>& x) {
  GuardBuffer<float> y(int64_t(x.size()));
  k.exp(x.data(), y.data(), y.size());
  return {y.begin(), y.end()};
}

}  // namespace

TEST_CASE("exp is right to the last place over all magnitudes", "[exp]") {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 4099) {
    const float v = std::bit_cast<float>(uint32_t(bits));
    if (v >= -104 && v <= 88.72f) x.push_back(v);
  }
  for (int i = -105000; i <= 88720; ++i) x.push_back(float(i) * 1e-3f);
  for (const Isa isa : runnable_isas()) {
    const CpuKernels& k = cpu_kernels(isa);
    CAPTURE(k.name);
    const std::vector<float> y = exp_of(k, x);
    double worst = 0;
    float at = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(y[i], std::exp(double(x[i])));
      if (!(error <= worst)) worst = error, at = x[i];
    }
    CAPTURE(at, worst);
    CHECK(worst <= (isa == Isa::kScalar ? 2.0 : 1.2));
  }
}

TEST_CASE("exp saturates, keeps NaN and is exact at zero", "[exp]") {
  const std::vector<float> x{0.0f,     -0.0f,   88.73f,  89.5f,  1e4f,   3e38f,
                             INFINITY, -104.1f, -150.0f, -1e4f,  -3e38f, -INFINITY,
                             NAN,      -NAN,    -103.9f, 88.72f, 1e-45f};
  const std::vector<float> expected{1,        1, INFINITY, INFINITY, INFINITY, INFINITY,
                                    INFINITY, 0, 0,        0,        0,        0};
  for (const Isa isa : runnable_isas()) {
    const std::vector<float> y = exp_of(cpu_kernels(isa), x);
    CAPTURE(cpu_kernels(isa).name);
    for (size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(x[i]);
      CHECK(y[i] == expected[i]);
    }
    CHECK(std::isnan(y[12]));
    CHECK(std::isnan(y[13]));
    CHECK(y[14] == 0x1p-149f);  // 1.5e-45 rounds to the smallest subnormal
    CHECK(std::isfinite(y[15]));
    CHECK(y[16] == 1);
  }
}

TEST_CASE("exp has the same bits wherever there is an fma", "[exp]") {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 4099) {
    const float v = std::bit_cast<float>(uint32_t(bits));
    if (v == v) x.push_back(v);
  }
  std::vector<float> first;
  for (const Isa isa : runnable_isas()) {
    if (isa < Isa::kAvx2) continue;
    const std::vector<float> y = exp_of(cpu_kernels(isa), x);
    CAPTURE(cpu_kernels(isa).name);
    if (!first.empty()) REQUIRE(std::memcmp(y.data(), first.data(), y.size() * sizeof(float)) == 0);
    first = y;
  }
}
