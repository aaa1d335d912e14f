// Weights of bf16 times activations of bf16: one instruction for a pair of columns, whose products
// are added to the f32 sum one after the other (VDPBF16PS; subnormals count as zero).

namespace tern {
namespace {

constexpr int64_t kPrefetchPairs = 12;  // ahead, where a tile has many rows: see gemm_float.inl

struct Bf16DotTile {
  static constexpr int kMaxRows = kMaxTileRows;
  static constexpr int panels(int rows) { return tile_vecs(rows); }

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const int64_t pairs = ceil_div64(a.w.cols, 2), w_stride = 2 * kLanes * pairs;
    const Bf16* w = reinterpret_cast<const Bf16*>(a.w.data) + panel * w_stride;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t pair = k_begin / 2; pair < ceil_div64(k_end, 2); ++pair) {
      __m512bh weights[kPanels];
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const Bf16* columns = w + p * w_stride + pair * 2 * kLanes;
        if constexpr (kRows > 3) __builtin_prefetch(columns + kPrefetchPairs * 2 * kLanes);
        weights[p] = (__m512bh)_mm512_loadu_si512(columns);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512bh xr =
            (__m512bh)_mm512_set1_epi32(reinterpret_cast<const int32_t*>(x + r * a.x.stride)[pair]);
#pragma GCC unroll 8
        for (int p = 0; p < kPanels; ++p)
          acc[r][p].v = _mm512_dpbf16_ps(acc[r][p].v, weights[p], xr);
      }
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }
};

}  // namespace
}  // namespace tern
