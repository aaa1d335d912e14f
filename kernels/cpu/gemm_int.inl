// Codes times integers: the products of a group of columns are summed exactly, then scaled into the
// f32 sum: one fma a group, two where the format has an offset. int16 is multiplied as two bytes.
// Layout: formats/code_panels.h.

#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

template <int kBits, bool kOffset, int kPlanes>
struct IntTile {
  static_assert(kBits == 4 || !kOffset,
                "whole_bytes() may centre codes, which an offset would have to undo");
  static constexpr int kMaxRows = kMaxIntTileRows;
  static constexpr int panels(int rows) { return int_tile_vecs(rows, kPlanes); }
  static constexpr int64_t kBlockCols = 32 / kBits;

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const int64_t group_cols = format(a.w.format).group;
    const CodePanels layout = CodePanels::of(kBits, group_cols, kOffset, a.w.cols);
    const IntInput input = IntInput::of(kPlanes, group_cols, a.w.cols);
    const std::byte* w = a.w.data + panel * layout.panel_bytes;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t k = k_begin, g = k_begin / group_cols; k < k_end; k += group_cols, ++g) {
      Dots<kRows, kPanels> dots[kPlanes];
      start(dots, input, x, a.x.stride, g);
      const int64_t block_end = ceil_div64(min64(k + group_cols, a.w.cols), kBlockCols);
      for (int64_t block = k / kBlockCols; block < block_end; ++block)
        add_block(dots, w + block * CodePanels::kBlockBytes, layout.panel_bytes,
                  x + block * kBlockCols, a.x.stride, input.plane_bytes);
      const std::byte* scales = w + layout.scales_begin() + g * layout.group_bytes;
      add_group(acc, dots, scales, layout.panel_bytes, input, x, a.x.stride, g);
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }

 private:
  template <int kRows, int kPanels>
  struct Dots {
    IntVec v[kRows][kPanels];
  };

  /// A symmetric code c means c - 2^(bits - 1): the sum of the activations says how much less.
  template <int kRows, int kPanels>
  TERN_INLINE static void start(Dots<kRows, kPanels> (&dots)[kPlanes], const IntInput& input,
                                const std::byte* x, int64_t x_stride, int64_t g) {
    constexpr bool kCentered = kOffset || (kBits == 8 && kCenteredBytes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const int32_t sum = input.sums(x + r * x_stride)[g];
      const IntVec first = broadcast_int(kCentered ? 0 : -(sum * (1 << (kBits - 1))));
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        if constexpr (kPlanes == 2) dots[0].v[r][p] = broadcast_int(0);
        dots[kPlanes - 1].v[r][p] = first;
      }
    }
  }

  /// dots += the products of one block of columns.
  template <int kRows, int kPanels>
  TERN_INLINE static void add_block(Dots<kRows, kPanels> (&dots)[kPlanes], const std::byte* w,
                                    int64_t w_stride, const std::byte* x, int64_t x_stride,
                                    int64_t plane_bytes) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      const ByteVec bytes = load_bytes(w + p * w_stride);
      if constexpr (kBits == 8) {
        add_products(dots, p, whole_bytes(bytes), x, x_stride, plane_bytes);
      } else {
        add_products(dots, p, low_halves(bytes), x, x_stride, plane_bytes);
        add_products(dots, p, high_halves(bytes), x + 4, x_stride, plane_bytes);
      }
    }
  }

  template <int kRows, int kPanels>
  TERN_INLINE static void add_products(Dots<kRows, kPanels> (&dots)[kPlanes], int p, ByteVec codes,
                                       const std::byte* x, int64_t x_stride, int64_t plane_bytes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int plane = 0; plane < kPlanes; ++plane) {
        const std::byte* four = x + r * x_stride + plane * plane_bytes;
        IntVec& dot = dots[plane].v[r][p];
        dot = dot4(dot, codes, reinterpret_cast<const int32_t*>(four));
      }
  }

  /// acc += the scaled sums of group g.
  template <int kRows, int kPanels>
  TERN_INLINE static void add_group(Vec (&acc)[kRows][kPanels],
                                    const Dots<kRows, kPanels> (&dots)[kPlanes],
                                    const std::byte* scales, int64_t scales_stride,
                                    const IntInput& input, const std::byte* x, int64_t x_stride,
                                    int64_t g) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      const F16* s = reinterpret_cast<const F16*>(scales + p * scales_stride);
      const Vec scale = load(s);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const std::byte* xr = x + r * x_stride;
        IntVec sum = dots[kPlanes - 1].v[r][p];
        if constexpr (kPlanes == 2) sum = add_times_256(sum, dots[0].v[r][p]);
        acc[r][p] = fma(to_floats(sum), scale * broadcast(input.scales(xr)[g]), acc[r][p]);
        if constexpr (kOffset)
          acc[r][p] = fma(load(s + kLanes), broadcast(input.scaled_sums(xr)[g]), acc[r][p]);
      }
    }
  }
};

}  // namespace
}  // namespace tern
