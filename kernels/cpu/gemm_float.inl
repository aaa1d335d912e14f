// Weights of type T, widened, times f32: one fma a column.

namespace tern {
namespace {

/// Columns of W to ask for beforehand where a tile has many rows: the CPU's own prefetchers look
/// less far ahead there, and further for one row.
constexpr int64_t kPrefetchColumns = 24;

template <class T>
struct FloatTile {
  static constexpr int kMaxRows = kMaxTileRows;
  static constexpr int panels(int rows) { return tile_vecs(rows); }

  template <int kRows, int kPanels>
  static void run(const Gemm::Args& a, int64_t row, int64_t panel, int64_t k_begin, int64_t k_end) {
    const int64_t w_stride = kLanes * a.w.cols;
    const T* w = reinterpret_cast<const T*>(a.w.data) + panel * w_stride;
    const std::byte* x = a.x.row(row);
    Vec acc[kRows][kPanels];
    load_sums(a, row, panel, k_begin == 0, acc);
    for (int64_t k = k_begin; k < k_end; ++k) {
      Vec weights[kPanels];
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) {
        const T* column = w + p * w_stride + k * kLanes;
        if constexpr (kRows > 3) __builtin_prefetch(column + kPrefetchColumns * kLanes);
        weights[p] = load(column);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vec xr = broadcast(reinterpret_cast<const float*>(x + r * a.x.stride)[k]);
#pragma GCC unroll 8
        for (int p = 0; p < kPanels; ++p) acc[r][p] = fma(xr, weights[p], acc[r][p]);
      }
    }
    store_sums(a, row, panel, k_end == a.w.cols, acc);
  }
};

}  // namespace
}  // namespace tern
