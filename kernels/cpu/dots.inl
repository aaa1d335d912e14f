// Exact sums of products of integers: columns of some panels with the same columns of some rows.
//
// A class of dots has a Sum for each output, the Weights of a panel that one step multiplies,
// load<part>() which takes part `part` of a block of 64 bytes (a part meets kInputBytes of a row's
// values), start(integer), add(sum, weights, values), and total(sum); and how large a tile its sums
// allow. Layout of the weights: formats/bfp16.h (16 bits), formats/code_panels.h (8 and 4).

namespace tern {
namespace {

constexpr int64_t kPrefetchBlocks = 12;  // ahead, where a tile has many rows: see gemm_float.inl

/// Integers of 16 bits, or codes brought to as many, times int16: two columns a step.
template <int kBits>
struct PairDots {
  static constexpr int kMaxRows = kMaxDotTileRows;
  static constexpr int panels(int rows) { return dot_tile_vecs(rows); }
  static constexpr int64_t kBlockCols = 32 / kBits;
  static constexpr int kParts = 16 / kBits;
  static constexpr int64_t kInputBytes = 4;  // of a part
  static constexpr int64_t kValueBytes = 2;
  static constexpr int kOffset = kBits == 16 ? 0 : 1 << (kBits - 1);  // codes come with it
  using Weights = PairVec;
  using Sum = IntVec;

  template <int kPart>
  TERN_INLINE static Weights load(const std::byte* block) {
    return load_pairs<kBits, kPart>(block);
  }
  TERN_INLINE static Sum start(int32_t first) { return broadcast_int(first); }
  TERN_INLINE static void add(Sum& sum, const Weights& w, const std::byte* values) {
    sum = dot2(sum, w, reinterpret_cast<const int32_t*>(values));
  }
  TERN_INLINE static IntVec total(const Sum& sum) { return sum; }
};

/// Codes times int8: four columns a step.
template <int kBits>
struct ByteDots {
  static constexpr int kMaxRows = kMaxDotTileRows;
  static constexpr int panels(int rows) { return dot_tile_vecs(rows); }
  static constexpr int64_t kBlockCols = 32 / kBits;
  static constexpr int kParts = 8 / kBits;
  static constexpr int64_t kInputBytes = 4;
  static constexpr int64_t kValueBytes = 1;
  static constexpr int kOffset = kBits == 8 && kCenteredBytes ? 0 : 1 << (kBits - 1);
  using Weights = ByteVec;
  using Sum = IntVec;

  template <int kPart>
  TERN_INLINE static Weights load(const std::byte* block) {
    return load_codes<kBits, kPart>(block);
  }
  TERN_INLINE static Sum start(int32_t first) { return broadcast_int(first); }
  TERN_INLINE static void add(Sum& sum, const Weights& w, const std::byte* values) {
    sum = dot4(sum, w, reinterpret_cast<const int32_t*>(values));
  }
  TERN_INLINE static IntVec total(const Sum& sum) { return sum; }
};

/// Codes times int16: the dots that are quicker on this instruction set.
template <int kBits>
using Int16Dots = Int16DotsOf<kBits, PairDots<kBits>>;

/// Part `kPart` of a block.
template <class Dots, int kPart, bool kPrefetch>
TERN_INLINE typename Dots::Weights load_part(const std::byte* block) {
  if constexpr (kPrefetch && kPart == 0) __builtin_prefetch(block + kPrefetchBlocks * 64);
  return Dots::template load<kPart>(block);
}

/// sums += the products of part `kPart` of a block and of those behind it. Registers hold what
/// there is less of while the other goes by: the values of the rows, or the weights of the panels.
template <class Dots, int kPart, int kRows, int kPanels>
TERN_INLINE void add_parts(const std::byte* block, int64_t w_stride, const std::byte* x,
                           int64_t x_stride, typename Dots::Sum (&sums)[kRows][kPanels]) {
  constexpr bool kPrefetch = kRows > 3;
  const std::byte* values = x + kPart * Dots::kInputBytes;
  if constexpr (kRows <= kPanels) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      const auto weights = load_part<Dots, kPart, kPrefetch>(block + p * w_stride);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) Dots::add(sums[r][p], weights, values + r * x_stride);
    }
  } else {
    typename Dots::Weights weights[kPanels];
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p)
      weights[p] = load_part<Dots, kPart, kPrefetch>(block + p * w_stride);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < kPanels; ++p) Dots::add(sums[r][p], weights[p], values + r * x_stride);
  }
  if constexpr (kPart + 1 < Dots::kParts)
    add_parts<Dots, kPart + 1>(block, w_stride, x, x_stride, sums);
}

/// sums += the products of `num_blocks` blocks of columns; w and x point to the first of them.
template <class Dots, int kRows, int kPanels>
TERN_INLINE void add_blocks(const std::byte* w, int64_t w_stride, const std::byte* x,
                            int64_t x_stride, int64_t num_blocks,
                            typename Dots::Sum (&sums)[kRows][kPanels]) {
#pragma GCC unroll 2
  for (int64_t block = 0; block < num_blocks; ++block)
    add_parts<Dots, 0>(w + block * 64, w_stride,
                       x + block * Dots::kBlockCols * Dots::kValueBytes, x_stride, sums);
}

}  // namespace
}  // namespace tern
