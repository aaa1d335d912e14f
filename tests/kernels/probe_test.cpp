#include <catch2/catch.hpp>
#include <numeric>

#include "tests/kernels/kernel_test.h"

using namespace tern;

TEST_CASE("probes do all the multiplications that they count", "[probe]") {
  for (const Probe& probe : probes())
    for (int a = 0; a < kNumArithmetics; ++a) {
      if (probe.multiply[a] == nullptr) continue;
      CAPTURE(isa_name(probe.isa), kArithmeticNames[a]);
      GuardBuffer<float> out(16);
      const int64_t once = probe.multiply[a](1, out.data());
      const int64_t operations = probe.multiply[a](1000, out.data());
      CHECK(once > 0);
      CHECK(operations == 1000 * once);
      CHECK(out.intact());
      // 0.25 a product of floats; integers and bf16 come in pairs that cancel.
      const double sum = std::accumulate(out.begin(), out.end(), 0.0);
      CHECK(sum == (Arithmetic(a) == Arithmetic::kF32Fma ? 0.25 * double(operations / 2) : 0.0));
    }
}

TEST_CASE("probes read all that they are given and no more", "[probe]") {
  for (const Probe& probe : probes()) {
    if (probe.read == nullptr) continue;
    CAPTURE(isa_name(probe.isa));
    GuardBuffer<float> data(3 * Probe::kReadMultiple), out(16);
    std::fill(data.begin(), data.end(), 1.0f);
    probe.read(data.data(), data.size(), out.data());
    CHECK(std::accumulate(out.begin(), out.end(), 0.0) == double(data.size()));
    CHECK(out.intact());
  }
}

TEST_CASE("every instruction set has a way to read and to multiply f32 and integers", "[probe]") {
  for (const Isa isa : runnable_isas()) {
    bool has[kNumArithmetics] = {}, reads = false;
    for (const Probe& probe : probes()) {
      if (probe.isa > isa) continue;
      reads |= probe.read != nullptr;
      for (int a = 0; a < kNumArithmetics; ++a) has[a] |= probe.multiply[a] != nullptr;
    }
    CAPTURE(isa_name(isa));
    CHECK(reads);
    CHECK(has[int(Arithmetic::kF32Fma)]);
    CHECK(has[int(Arithmetic::kInt16Dot)]);
    CHECK(has[int(Arithmetic::kInt8Dot)]);
  }
}
