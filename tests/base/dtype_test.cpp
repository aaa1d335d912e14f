#include "base/dtype.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace tern;

TEST_CASE("every bf16 and f16 value survives the way through f32", "[base][dtype]") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float b = to_float(Bf16{uint16_t(bits)}), h = to_float(F16{uint16_t(bits)});
    if (!std::isnan(b)) REQUIRE(to_bf16(b).bits == bits);
    if (!std::isnan(h)) REQUIRE(to_f16(h).bits == bits);
    if (std::isnan(b)) REQUIRE(std::isnan(to_float(to_bf16(b))));
    if (std::isnan(h)) REQUIRE(std::isnan(to_float(to_f16(h))));
  }
}

TEST_CASE("halfway values round to even, overflow goes to infinity", "[base][dtype]") {
  // Between each pair of neighbours: just below, at, and just above the middle.
  for (uint32_t bits = 0; bits < 0x7bff; bits += 7) {
    const float low = to_float(F16{uint16_t(bits)}), high = to_float(F16{uint16_t(bits + 1)});
    const float middle = low + (high - low) / 2;
    const uint16_t even = bits % 2 == 0 ? bits : bits + 1;
    REQUIRE(to_f16(middle).bits == even);
    REQUIRE(to_f16(std::nextafter(middle, 0.0f)).bits == bits);
    REQUIRE(to_f16(std::nextafter(middle, 1e9f)).bits == bits + 1);
    REQUIRE(to_f16(-middle).bits == (even | 0x8000));
  }
  CHECK(to_f16(65519.0f).bits == 0x7bff);
  CHECK(to_f16(65520.0f).bits == 0x7c00);
  CHECK(std::isinf(to_float(to_bf16(std::numeric_limits<float>::max()))));
  CHECK(to_bf16(1.00390625f).bits == 0x3f80);  // halfway between 0x3f80 and 0x3f81: to even
  CHECK(to_bf16(1.01171875f).bits == 0x3f82);  // halfway between 0x3f81 and 0x3f82: to even
}
