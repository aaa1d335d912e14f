// Weights of block floating point times activations of the same kind: the products of a group of
// columns are summed exactly, then scaled into the f32 sum by one fma. Layout: formats/bfp16.h.

#include "kernels/formats/bfp16.h"

namespace tern {
namespace {

constexpr int64_t kPrefetchBlocks = 12;  // ahead, where a tile has many rows: see gemm_float.inl

struct Bfp16Tile {
  static constexpr int kMaxRows = kMaxPairTileRows;
  static constexpr int panels(int rows) { return pair_tile_vecs(rows); }

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const Bfp16Panels layout = Bfp16Panels::of(a.w.cols);
    const Bfp16Input input = Bfp16Input::of(a.w.cols);
    const std::byte* w = a.w.data + panel * layout.panel_bytes;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t g = k_begin / kBfp16Group; g * kBfp16Group < k_end; ++g) {
      IntVec dots[kRows][kPanels];
      sum_group(w + g * Bfp16Panels::kGroupBytes, layout.panel_bytes, x + g * kBfp16Group * 2,
                a.x.stride, dots);
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const Vec unit =
            powers_of_two(w + p * layout.panel_bytes + layout.exponents_begin() + g * kPanelRows);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const float scale = input.scales(x + r * a.x.stride)[g];
          acc[r][p] = fma(to_floats(dots[r][p]) * unit, broadcast(scale), acc[r][p]);
        }
      }
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }

 private:
  /// dots = the sums of one group's products.
  template <int kRows, int kPanels>
  TERN_INLINE static void sum_group(const std::byte* w, int64_t w_stride, const std::byte* x,
                                    int64_t x_stride, IntVec (&dots)[kRows][kPanels]) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) dots[r][p] = broadcast_int(0);
#pragma GCC unroll 16
    for (int64_t pair = 0; pair < kBfp16Group / 2; ++pair) {
      PairVec weights[kPanels];
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const std::byte* block = w + p * w_stride + pair * 64;
        if constexpr (kRows > 3) __builtin_prefetch(block + kPrefetchBlocks * 64);
        weights[p] = load_pairs(block);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto* two = reinterpret_cast<const int32_t*>(x + r * x_stride) + pair;
#pragma GCC unroll 8
        for (int p = 0; p < kPanels; ++p) dots[r][p] = dot2(dots[r][p], weights[p], two);
      }
    }
  }
};

}  // namespace
}  // namespace tern
