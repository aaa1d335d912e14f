// Codes times integers in tiles of 16 rows by 16 outputs. The sums are the same integers as those
// of gemm_int.inl, scaled by the same operations: an output has the same bits from either.

#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

/// kBits, kOffset as in CodePanels; Value: int16_t, multiplied as two bytes, or int8_t.
template <int kBits, bool kOffset, class Value>
class TileTask {
 public:
  TileTask(const Gemm::Args& a, int64_t row, int64_t num_rows)
      : a_(a),
        row_(row),
        num_rows_(num_rows),
        group_(a.w.format.encoding.group),
        // A group is one step, or several of 64 columns, which fill a tile.
        step_(group_ % 64 == 0 && a.w.cols % 64 == 0 ? 64 : 32),
        layout_(CodePanels::of(kBits, group_, kOffset, a.w.cols)),
        input_(IntInput::of(sizeof(Value), group_, a.w.cols)) {}

  static bool supports(const Gemm::Args& a) { return a.w.cols % 32 == 0; }

  void run(const GemmBlock& b) {
    TileConfig config;
    for (int c = 0; c < 4; ++c) config.set(c, num_rows_, 64);
    for (int plane = 4; plane < 6; ++plane) config.set(plane, num_rows_, step_);
    for (int w = 6; w < 8; ++w) config.set(w, step_ / 4, 64);
    configure_tiles(config);
    for (int64_t k = b.k_begin; k < b.k_end; k += kChunk) {
      const int64_t end = min64(k + kChunk, b.k_end);
      split(k, end);
      int64_t panel = b.panel_begin;
      for (; panel + kPanels <= b.panel_end; panel += kPanels) run_panels<kPanels>(panel, k, end);
      for (; panel < b.panel_end; ++panel) run_panels<1>(panel, k, end);
    }
    release_tiles();
  }

 private:
  static constexpr int64_t kTileRows = 16;
  static constexpr int64_t kChunk = 512;  // columns whose bytes are split at once: whole groups
  static constexpr int kPlanes = sizeof(Value);
  static constexpr int kPanels = 4 / kPlanes;  // so that four chains of sums hide their latency

  /// planes_ = the bytes of columns [k, end), in the order of a lane: x = 256 first + second.
  void split(int64_t k, int64_t end) {
    for (int64_t r = 0; r < num_rows_; ++r) {
      const std::byte* x = a_.x.row(row_ + r) + k * sizeof(Value);
      if constexpr (kPlanes == 1) {
        __builtin_memcpy(planes_[0][r], x, end - k);
      } else {
        const int16_t* values = reinterpret_cast<const int16_t*>(x);
        for (int64_t i = 0; i < end - k; i += 4)
          for (int64_t j = 0; j < 4; ++j) {
            const int32_t value = values[i + lane_order(j)], high = (value + 128) >> 8;
            planes_[0][r][i + j] = static_cast<int8_t>(high);
            planes_[1][r][i + j] = static_cast<int8_t>(value - high * 256);
          }
      }
    }
  }

  /// Columns [k, end) of panels [panel, panel + kCount).
  template <int kCount>
  void run_panels(int64_t panel, int64_t k, int64_t end) {
    const std::byte* w = a_.w.data + panel * layout_.panel_bytes;
    Vec acc[kTileRows][kCount];
    for (int64_t r = 0; r < num_rows_; ++r)
      load_sums(a_, row_ + r, panel, k == 0, *reinterpret_cast<Vec(*)[1][kCount]>(&acc[r]));
    const int64_t first = k;
    for (int64_t g = k / group_; k < end; k += group_, ++g) {
      zero_tiles<kCount>();
      for (int64_t at = k; at < min64(k + group_, end); at += step_) {
        load_tile<4>(planes_[0][0] + at - first, kChunk);
        if constexpr (kPlanes == 2) load_tile<5>(planes_[1][0] + at - first, kChunk);
        add_step<0, kCount>(w + at / layout_.block_cols * CodePanels::kBlockBytes);
      }
      store_tiles<kCount>();
      for (int64_t r = 0; r < num_rows_; ++r) scale_row(acc[r], w, r, g);
    }
    for (int64_t r = 0; r < num_rows_; ++r)
      store_sums(a_, row_ + r, panel, end == a_.w.cols,
                 *reinterpret_cast<const Vec(*)[1][kCount]>(&acc[r]));
  }

  template <int kCount>
  TERN_INLINE void zero_tiles() {
    zero_tile<0>();
    if constexpr (kPlanes == 2 || kCount > 1) zero_tile<1>();
    if constexpr (kPlanes * kCount == 4) zero_tile<2>(), zero_tile<3>();
  }
  template <int kCount>
  TERN_INLINE void store_tiles() {
    store_tile<0>(sums_[0], 64);
    if constexpr (kPlanes == 2 || kCount > 1) store_tile<1>(sums_[1], 64);
    if constexpr (kPlanes * kCount == 4) store_tile<2>(sums_[2], 64), store_tile<3>(sums_[3], 64);
  }

  /// Tiles kPlanes p and behind it += the products of one step with panel p, and so on.
  template <int kPanel, int kCount>
  TERN_INLINE void add_step(const std::byte* block) {
    constexpr int kWeights = 6 + kPanel % 2;
    load_tile<kWeights>(kBits == 8 ? block : unpack(block, codes_[kPanel % 2]), 64);
    dot_bytes<kPlanes * kPanel, 4, kWeights>();
    if constexpr (kPlanes == 2) dot_bytes<kPlanes * kPanel + 1, 5, kWeights>();
    if constexpr (kPanel + 1 < kCount) add_step<kPanel + 1, kCount>(block + layout_.panel_bytes);
  }

  /// A step's codes of 4 bits, a byte each.
  const std::byte* unpack(const std::byte* block, std::byte* out) const {
    for (int64_t i = 0; i < step_ / layout_.block_cols; ++i)
      for (int64_t j = 0; j < CodePanels::kBlockBytes; ++j) {
        const auto both = static_cast<uint8_t>(block[i * CodePanels::kBlockBytes + j]);
        out[2 * i * CodePanels::kBlockBytes + j] = std::byte(both & 15);
        out[(2 * i + 1) * CodePanels::kBlockBytes + j] = std::byte(both >> 4);
      }
    return out;
  }

  /// acc += the scaled sums of row r, group g.
  template <int kCount>
  TERN_INLINE void scale_row(Vec (&acc)[kCount], const std::byte* w, int64_t r, int64_t g) const {
    const std::byte* x = a_.x.row(row_ + r);
    // What a symmetric code c, which means c - 2^(bits - 1), counts too much.
    const int32_t above = kOffset ? 0 : input_.sums(x)[g] * (1 << (kBits - 1));
    for (int p = 0; p < kCount; ++p) {
      int32_t total[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) {
        const int32_t first = sums_[kPlanes * p][r * kLanes + i];
        total[i] = kPlanes == 1 ? first - above
                                : first * 256 + sums_[kPlanes * p + 1][r * kLanes + i] - above;
      }
      const F16* s = reinterpret_cast<const F16*>(w + p * layout_.panel_bytes +
                                                  layout_.scales_begin() +
                                                  g * layout_.group_bytes);
      acc[p] = fma(to_floats(load_ints(total)), load(s) * broadcast(input_.scales(x)[g]), acc[p]);
      if constexpr (kOffset)
        acc[p] = fma(load(s + kLanes), broadcast(input_.scaled_sums(x)[g]), acc[p]);
    }
  }

  const Gemm::Args& a_;
  const int64_t row_, num_rows_, group_, step_;
  const CodePanels layout_;
  const IntInput input_;
  alignas(64) int8_t planes_[kPlanes][kTileRows][kChunk];
  alignas(64) std::byte codes_[2][16 * 64];
  alignas(64) int32_t sums_[4][kTileRows * kLanes];
};

/// A gemm tile (gemm.inl) that takes its rows in tile registers.
template <int kBits, bool kOffset, class Value>
struct RegisterTile {
  static constexpr int kMaxRows = 16;
  static constexpr int panels(int) { return 4 / int{sizeof(Value)}; }

  static void run_rows(const Gemm::Args& a, int64_t row, int64_t num_rows, const GemmBlock& b) {
    TileTask<kBits, kOffset, Value>(a, row, num_rows).run(b);
  }
};

/// Tiles where they have rows enough and whole steps, else vectors: the bits are the same.
template <int kBits, bool kOffset, class Value>
void gemm_in_tiles(const Gemm::Args& a, const Exec& ex) {
  constexpr int64_t kMinRows = 8;
  using Dots = Select<sizeof(Value) == 2, PairDots<kBits>, ByteDots<kBits>>;
  if (a.x.rows >= kMinRows && TileTask<kBits, kOffset, Value>::supports(a))
    gemm<RegisterTile<kBits, kOffset, Value>>(a, ex);
  else
    gemm<IntTile<Dots, kOffset>>(a, ex);
}

}  // namespace
}  // namespace tern
