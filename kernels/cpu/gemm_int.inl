// Codes times integers: the products of a group of columns are summed exactly, then scaled into the
// f32 sum: one fma a group, two where the format has an offset. Layout: formats/code_panels.h.

#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

template <class Dots, bool kOffset>
struct IntTile {
  static_assert(Dots::kOffset != 0 || !kOffset, "centred codes would have to be undone");
  static constexpr int kMaxRows = Dots::kMaxRows;
  static constexpr int panels(int rows) { return Dots::panels(rows); }

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const int64_t group_cols = a.w.format.encoding.group;
    const CodePanels layout =
        CodePanels::of(32 / Dots::kBlockCols, group_cols, kOffset, a.w.cols);
    const IntInput input = IntInput::of(Dots::kValueBytes, group_cols, a.w.cols);
    const std::byte* w = a.w.data + panel * layout.panel_bytes;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t k = k_begin, g = k_begin / group_cols; k < k_end; k += group_cols, ++g) {
      typename Dots::Sum dots[kRows][kPanels];
      start(dots, input, x, a.x.stride, g);
      const int64_t cols = min64(group_cols, a.w.cols - k);
      add_blocks<Dots>(w + k / Dots::kBlockCols * CodePanels::kBlockBytes, layout.panel_bytes,
                       x + k * Dots::kValueBytes, a.x.stride,
                       ceil_div64(cols, Dots::kBlockCols), dots);
      const std::byte* scales = w + layout.scales_begin() + g * layout.group_bytes;
      scale_group(acc, dots, scales, layout.panel_bytes, input, x, a.x.stride, g);
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }

 private:
  /// A symmetric code c means c - 2^(bits - 1): the sum of the activations says how much less.
  template <int kRows, int kPanels>
  TERN_INLINE static void start(typename Dots::Sum (&dots)[kRows][kPanels], const IntInput& input,
                                const std::byte* x, int64_t x_stride, int64_t g) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const int32_t sum = kOffset ? 0 : input.sums(x + r * x_stride)[g];
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) dots[r][p] = Dots::start(-(sum * Dots::kOffset));
    }
  }

  /// acc += the scaled sums of group g.
  template <int kRows, int kPanels>
  TERN_INLINE static void scale_group(Vec (&acc)[kRows][kPanels],
                                      const typename Dots::Sum (&dots)[kRows][kPanels],
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
        acc[r][p] = fma(to_floats(Dots::total(dots[r][p])),
                        scale * broadcast(input.scales(xr)[g]), acc[r][p]);
        if constexpr (kOffset)
          acc[r][p] = fma(load(s + kLanes), broadcast(input.scaled_sums(xr)[g]), acc[r][p]);
      }
    }
  }
};

}  // namespace
}  // namespace tern
