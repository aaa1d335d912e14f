// Element types of tensors, and the 16-bit floats that C++20 lacks.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace tern {

enum class DType : uint8_t { kF32, kBf16, kF16, kF64, kI64, kI32, kI16, kI8, kU8, kBool };

constexpr int dtype_bytes(DType t) {
  switch (t) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBf16:
    case DType::kF16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return 1;
  }
  return 0;
}

constexpr std::string_view dtype_name(DType t) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "f16", "f64", "i64",
                                         "i32", "i16",  "i8",  "u8",  "bool"};
  return kNames[static_cast<int>(t)];
}

/// bfloat16: the upper half of an f32.
struct Bf16 {
  uint16_t bits = 0;
};

constexpr float to_float(Bf16 v) {
  return std::bit_cast<float>(uint32_t(v.bits) << 16);
}

/// Rounds to nearest, ties to even. NaN stays NaN.
constexpr Bf16 to_bf16(float v) {
  const uint32_t u = std::bit_cast<uint32_t>(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {uint16_t((u >> 16) | 0x40)};
  return {uint16_t((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
}

/// IEEE binary16.
struct F16 {
  uint16_t bits = 0;
};

constexpr float to_float(F16 v) {
  const uint32_t sign = uint32_t(v.bits & 0x8000) << 16;
  const uint32_t exponent = (v.bits >> 10) & 31, mantissa = v.bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in f32
    const float magnitude = float(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

/// Rounds to nearest, ties to even; overflows to infinity. NaN stays NaN.
constexpr F16 to_f16(float v) {
  const uint32_t u = std::bit_cast<uint32_t>(v);
  const uint16_t sign = uint16_t(u >> 16 & 0x8000);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {uint16_t(sign | 0x7e00)};
  if (magnitude >= 0x477ff000u) return {uint16_t(sign | 0x7c00)};  // rounds to 2^16 or above
  if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 rounds at bit 2^-24 as IEEE does
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {uint16_t(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u))};
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return {uint16_t(sign | (rounded - 0x38000000u) >> 13)};
}

}  // namespace tern
