// From rows, as files hold weights, to panels, as kernels read them: the columns of 16 rows side by
// side. Moves whole vectors, so packing runs at the speed of memory.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/formats/packing.h"

namespace tern {

namespace transpose_detail {

template <class Unit>
struct Lanes;  // 16 bytes: what every instruction set has
template <>
struct Lanes<uint16_t> {
  typedef uint16_t Vec __attribute__((vector_size(16)));
  static constexpr int kWidth = 8;
  static Vec zip_low(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  }
  static Vec zip_high(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  }
};
template <>
struct Lanes<uint32_t> {
  typedef uint32_t Vec __attribute__((vector_size(16)));
  static constexpr int kWidth = 4;
  static Vec zip_low(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
  static Vec zip_high(Vec a, Vec b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
};

/// Column j of the kWidth rows' next kWidth units becomes out[16 j, 16 j + kWidth).
template <class Unit>
inline void transpose_square(const std::byte* const* rows, int64_t first_byte, Unit* out) {
  using L = Lanes<Unit>;
  typename L::Vec now[L::kWidth], next[L::kWidth];
  for (int i = 0; i < L::kWidth; ++i) std::memcpy(&now[i], rows[i] + first_byte, sizeof now[i]);
  for (int stride = 1; stride < L::kWidth; stride *= 2) {  // log2(kWidth) rounds of zips
    for (int i = 0; i < L::kWidth / 2; ++i) {
      next[2 * i] = L::zip_low(now[i], now[i + L::kWidth / 2]);
      next[2 * i + 1] = L::zip_high(now[i], now[i + L::kWidth / 2]);
    }
    for (int i = 0; i < L::kWidth; ++i) now[i] = next[i];
  }
  for (int j = 0; j < L::kWidth; ++j) std::memcpy(out + kPanelRows * j, &now[j], sizeof now[j]);
}

}  // namespace transpose_detail

/// panel[16 k + lane] = unit k of rows[lane], for k in [0, units) and all 16 lanes; lanes from
/// `num_rows` on become zero. A unit is what a panel keeps together of one row: 2 or 4 bytes. Rows
/// need no alignment.
template <class Unit>
void transpose_to_panel(const std::byte* const* rows, int64_t num_rows, int64_t units,
                        Unit* panel) {
  constexpr int kWidth = transpose_detail::Lanes<Unit>::kWidth;
  // A cache line of each row at once: rows are often a multiple of 4 KiB apart, and so many lines
  // of one place in the cache do not stay there for a second visit.
  constexpr int64_t kLine = 64 / int64_t(sizeof(Unit));
  int64_t k = 0;
  if (num_rows == kPanelRows)
    for (; k + kLine <= units; k += kLine)
      for (int64_t lane = 0; lane < kPanelRows; lane += kWidth)
        for (int64_t j = k; j < k + kLine; j += kWidth)
          transpose_detail::transpose_square(rows + lane, j * int64_t(sizeof(Unit)),
                                             panel + j * kPanelRows + lane);
  if (k == units) return;
  std::memset(panel + k * kPanelRows, 0, size_t((units - k) * kPanelRows) * sizeof(Unit));
  for (int64_t lane = 0; lane < num_rows; ++lane)
    for (int64_t j = k; j < units; ++j)
      std::memcpy(panel + j * kPanelRows + lane, rows[lane] + j * sizeof(Unit), sizeof(Unit));
}

}  // namespace tern
