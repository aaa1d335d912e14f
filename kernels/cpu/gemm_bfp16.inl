// Weights of block floating point times activations of the same kind: the products of a group of
// columns are summed exactly, then scaled into the f32 sum by one fma. Layout: formats/bfp16.h.

#include "kernels/formats/bfp16.h"

namespace tern {
namespace {

struct Bfp16Tile {
  using Dots = PairDots<16>;
  static constexpr int kMaxRows = Dots::kMaxRows;
  static constexpr int panels(int rows) { return Dots::panels(rows); }

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const Bfp16Panels layout = Bfp16Panels::of(a.w.cols);
    const Bfp16Input input = Bfp16Input::of(a.w.cols);
    const std::byte* w = a.w.data + panel * layout.panel_bytes;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t g = k_begin / kBfp16Group; g * kBfp16Group < k_end; ++g) {
      Dots::Sum dots[kRows][kPanels];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int p = 0; p < kPanels; ++p) dots[r][p] = Dots::start(0);
      add_blocks<Dots>(w + g * Bfp16Panels::kGroupBytes, layout.panel_bytes,
                       x + g * kBfp16Group * 2, a.x.stride, kBfp16Group / 2, dots);
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const Vec unit =
            powers_of_two(w + p * layout.panel_bytes + layout.exponents_begin() + g * kPanelRows);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const float scale = input.scales(x + r * a.x.stride)[g];
          acc[r][p] = fma(to_floats(Dots::total(dots[r][p])) * unit, broadcast(scale), acc[r][p]);
        }
      }
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }
};

}  // namespace
}  // namespace tern
