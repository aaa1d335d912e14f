// Codes times int8: the products of a group of columns are summed exactly, then scaled into the f32
// sum: one fma a group, two where the format has an offset. Layout: formats/code_panels.h.

#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

template <int kBits, bool kOffset>
struct IntTile {
  static_assert(kBits == 4 || !kOffset,
                "whole_bytes() may centre codes, which an offset would have to undo");
  static constexpr int kMaxRows = kMaxIntTileRows;
  static constexpr int panels(int rows) { return int_tile_vecs(rows); }
  static constexpr int64_t kBlockCols = 32 / kBits;

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const int64_t group_cols = format(a.w.format).group;
    const CodePanels layout = CodePanels::of(kBits, group_cols, kOffset, a.w.cols);
    const Int8Input input = Int8Input::of(group_cols, a.w.cols);
    const std::byte* w = a.w.data + panel * layout.panel_bytes;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t k = k_begin, g = k_begin / group_cols; k < k_end; k += group_cols, ++g) {
      IntVec dots[kRows][kPanels];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        // A symmetric code c means c - 2^(bits - 1): the sum of the activations says how much less.
        const int32_t sum = input.sums(x + r * a.x.stride)[g];
        constexpr bool kCentered = kOffset || (kBits == 8 && kCenteredBytes);
        const IntVec start = broadcast_int(kCentered ? 0 : -(sum * (1 << (kBits - 1))));
#pragma GCC unroll 8
        for (int p = 0; p < kPanels; ++p) dots[r][p] = start;
      }
      const int64_t block_end = ceil_div64(min64(k + group_cols, a.w.cols), kBlockCols);
      for (int64_t block = k / kBlockCols; block < block_end; ++block)
        add_block(dots, w + block * CodePanels::kBlockBytes, layout.panel_bytes,
                  x + block * kBlockCols, a.x.stride);
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const F16* scales = reinterpret_cast<const F16*>(
            w + p * layout.panel_bytes + layout.scales_begin() + g * layout.group_bytes);
        const Vec scale = load(scales);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const std::byte* xr = x + r * a.x.stride;
          acc[r][p] = fma(to_floats(dots[r][p]), scale * broadcast(input.scales(xr)[g]), acc[r][p]);
          if constexpr (kOffset)
            acc[r][p] = fma(load(scales + kLanes), broadcast(input.scaled_sums(xr)[g]), acc[r][p]);
        }
      }
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }

 private:
  /// dots += the products of one block of columns.
  template <int kRows, int kPanels>
  TERN_INLINE static void add_block(IntVec (&dots)[kRows][kPanels], const std::byte* w,
                                    int64_t w_stride, const std::byte* x, int64_t x_stride) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      const ByteVec bytes = load_bytes(w + p * w_stride);
      if constexpr (kBits == 8) {
        add_products(dots, p, whole_bytes(bytes), x, x_stride);
      } else {
        add_products(dots, p, low_halves(bytes), x, x_stride);
        add_products(dots, p, high_halves(bytes), x + 4, x_stride);
      }
    }
  }

  template <int kRows, int kPanels>
  TERN_INLINE static void add_products(IntVec (&dots)[kRows][kPanels], int p, ByteVec codes,
                                       const std::byte* x, int64_t x_stride) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      dots[r][p] = dot4(dots[r][p], codes, reinterpret_cast<const int32_t*>(x + r * x_stride));
  }
};

}  // namespace
}  // namespace tern
