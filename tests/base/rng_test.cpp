#include "base/rng.h"

#include <catch2/catch.hpp>

using namespace tern;

TEST_CASE("Philox gives the published known answers", "[base][rng]") {
  using W4 = std::array<uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == W4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t kOnes = 0xffffffff;
  CHECK(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
        W4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        W4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform draws are in [0, 1) and differ by seed, stream and position", "[base][rng]") {
  double sum = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const double u = random_uniform(7, RngStream::kSample, i);
    REQUIRE((u >= 0 && u < 1));
    sum += u;
  }
  CHECK(sum / 10000 == Approx(0.5).margin(0.02));
  const uint64_t base = random_bits(1, RngStream::kSample, 1);
  CHECK(base != random_bits(2, RngStream::kSample, 1));
  CHECK(base != random_bits(1, RngStream::kSimulation, 1));
  CHECK(base != random_bits(1, RngStream::kSample, 2));
  CHECK(base != random_bits(uint64_t(1) << 32 | 1, RngStream::kSample, 1));
}
