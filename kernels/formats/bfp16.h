// How the block floating point format lies in memory: 16-bit integers, and for every group of 32
// columns a power of two that they count.
//
// A bf16 weight is m · 2^e with 8 bits of m. Within a group the largest weight is brought to
// 12 bits, the others to its unit: those above 1/16 of it are exact, the others are off by half a
// unit, 2^-12 of it, at most. Activations are brought to 14 bits, so that the 32 products of a
// group have an exact sum in 32 bits, on every instruction set: 32 · 4096 · 16383 < 2^31.
// Multiplying integers of 16 bits costs half of what f32 does.
//
// Every panel of 16 rows has its integers, then its exponents. Integers come in blocks of 64 bytes,
// block after block along K: a 32-bit lane holds one row's weights of two columns. Columns are
// padded to whole groups with zeros. An exponent byte b means 2^(b - 127): it is the exponent of an
// f32; 0 means 0 (a group of zeros) and 255 infinity (a group that holds something not finite).
#pragma once

#include "base/math.h"
#include "kernels/formats/packing.h"

namespace tern {

constexpr int64_t kBfp16Group = 32;
constexpr int kBfp16WeightBits = 12;
constexpr int32_t kBfp16MaxInput = (1 << 14) - 1;

struct Bfp16Panels {
  static constexpr int64_t kGroupBytes = kPanelRows * kBfp16Group * 2;

  int64_t num_groups;   ///< of a row
  int64_t panel_bytes;  ///< a multiple of 64

  static constexpr Bfp16Panels of(int64_t cols) {
    const int64_t groups = ceil_div(cols, kBfp16Group);
    return {groups, round_up(groups * (kGroupBytes + kPanelRows), int64_t{64})};
  }

  int64_t exponents_begin() const { return num_groups * kGroupBytes; }  ///< in a panel
};

/// How activations lie in a row: int16, padded with zeros to whole groups, then every group's scale
/// (f32).
struct Bfp16Input {
  int64_t num_groups;

  static constexpr Bfp16Input of(int64_t cols) { return {ceil_div(cols, kBfp16Group)}; }

  int64_t scales_begin() const { return num_groups * kBfp16Group * 2; }
  int64_t row_bytes() const { return round_up(scales_begin() + 4 * num_groups, int64_t{64}); }

  const float* scales(const std::byte* row) const {
    return reinterpret_cast<const float*>(row + scales_begin());
  }
};

}  // namespace tern
