// How formats of codes lie in memory. Every panel of 16 rows has its codes, then its scales.
//
// Codes come in blocks of 64 bytes, block after block along K; bytes 4 r to 4 r + 3 are row r's. A
// byte of int8 is one code, of the block's 4 columns; a byte of int4 holds two, of its 8 columns:
// the low half of one of the first four, the high half of the column 4 behind it. The four bytes
// have columns 0, 2, 1, 3: masks and shifts of 16 bits then leave neighbours, (0, 1) and (2, 3), as
// 16-bit numbers, and a 32-bit lane is what one row's dot product takes in one step. The last block
// is padded with zero codes, which meet zero activations. Groups are whole blocks, but for the
// tail.
//
// Scales: for every group, 16 f16 (a), then, where the format has an offset, 16 f16 (b).
#pragma once

#include "base/math.h"
#include "kernels/formats/packing.h"

namespace tern {

/// Which of four columns byte `b` of a lane has, and the byte that has column `b`.
constexpr int64_t lane_order(int64_t b) {
  return b == 1 ? 2 : b == 2 ? 1 : b;
}

struct CodePanels {
  static constexpr int64_t kBlockBytes = 64;

  int64_t block_cols;   ///< 4 (int8) or 8 (int4)
  int64_t num_blocks;   ///< of a panel
  int64_t num_groups;   ///< of a row
  int64_t group_bytes;  ///< scales of a group
  int64_t panel_bytes;  ///< a multiple of 64

  static constexpr CodePanels of(int bits, int64_t group, bool offset, int64_t cols) {
    CodePanels p{};
    p.block_cols = 32 / bits;
    p.num_blocks = ceil_div(cols, p.block_cols);
    p.num_groups = ceil_div(cols, group);
    p.group_bytes = kPanelRows * 2 * (offset ? 2 : 1);
    p.panel_bytes = round_up(p.num_blocks * kBlockBytes + p.num_groups * p.group_bytes, 64);
    return p;
  }
  static CodePanels of(const Encoding& e, int64_t cols) {
    return of(e.bits, e.group, e.offset, cols);
  }

  int64_t scales_begin() const { return num_blocks * kBlockBytes; }  ///< in a panel
};

/// How integer activations lie in a row: int16 in order, int8 with each four in the order of a
/// lane, padded with zeros to whole 64 columns. Then for every group of columns its scale (f32),
/// the sum of its integers (int32) and scale × sum (f32).
struct IntInput {
  int64_t value_bytes;  ///< 1 (int8) or 2 (int16)
  int64_t num_values;   ///< of a row, with the padding
  int64_t num_groups;

  static constexpr IntInput of(int64_t value_bytes, int64_t group, int64_t cols) {
    return {value_bytes, round_up(cols, 64), ceil_div(cols, group)};
  }
  static IntInput of(const Format& f, int64_t cols) {
    return of(f.packing->input == &kInt16Input ? 2 : 1, f.encoding.group, cols);
  }

  int64_t groups_begin() const { return num_values * value_bytes; }
  int64_t row_bytes() const { return round_up(groups_begin() + 12 * num_groups, 64); }

  const float* scales(const std::byte* row) const {
    return reinterpret_cast<const float*>(row + groups_begin());
  }
  const int32_t* sums(const std::byte* row) const {
    return reinterpret_cast<const int32_t*>(row + groups_begin() + 4 * num_groups);
  }
  const float* scaled_sums(const std::byte* row) const {
    return reinterpret_cast<const float*>(row + groups_begin() + 8 * num_groups);
  }
  /// Activation k in units of its group's scale.
  int32_t value(const std::byte* row, int64_t k) const {
    if (value_bytes == 2) return reinterpret_cast<const int16_t*>(row)[k];
    return reinterpret_cast<const int8_t*>(row)[k / 4 * 4 + lane_order(k % 4)];
  }
};

}  // namespace tern
