// What this instruction set can do at most (ops/probe.h). Every multiplication takes weights that
// the compiler believes to be new, so that it can neither leave one out nor share one.

#include "kernels/ops/probe.h"

namespace tern {
namespace {

// Of each: kChains, independent sums; kProducts of a step of one; kInput, what the inputs of a step
// are. A pair of integers has equal and opposite products, so that no sum overflows.

struct F32Fma {
  using Sum = Vec;
  static constexpr int kChains = kMaxTileRows * tile_vecs(kMaxTileRows);
  static constexpr int64_t kProducts = kLanes;
  static constexpr uint32_t kInput = 0x3f000000;  // 0.5

  static Vec start() { return zero(); }
  static Vec weights() { return broadcast(0.5f); }
  TERN_INLINE static Vec input(int32_t x) { return broadcast(__builtin_bit_cast(float, x)); }
  TERN_INLINE static Vec step(const Vec& sum, const Vec& w, const Vec& x) { return fma(w, x, sum); }
  static Vec result(const Vec& sum) { return sum; }
};

struct Int16Dot {
  using Sum = IntVec;
  static constexpr int kChains = kMaxDotTileRows * dot_tile_vecs(kMaxDotTileRows);
  static constexpr int64_t kProducts = 2 * kLanes;
  static constexpr uint32_t kInput = 0xfffd0003;  // 3, -3

  static IntVec start() { return broadcast_int(0); }
  static PairVec weights() {
    std::byte bytes[4 * kLanes];
    for (std::byte& byte : bytes) byte = std::byte{5};
    return load_pairs<16, 0>(bytes);
  }
  TERN_INLINE static int32_t input(int32_t x) { return x; }
  TERN_INLINE static IntVec step(const IntVec& sum, const PairVec& w, const int32_t& x) {
    return dot2(sum, w, &x);
  }
  static Vec result(const IntVec& sum) { return to_floats(sum); }
};

struct Int8Dot : Int16Dot {
  static constexpr int64_t kProducts = 4 * kLanes;
  static constexpr uint32_t kInput = 0xfd03fd03;  // 3, -3, 3, -3

  static ByteVec weights() {
    std::byte bytes[4 * kLanes];
    for (std::byte& byte : bytes) byte = std::byte{5};
    return load_codes<8, 0>(bytes);
  }
  TERN_INLINE static IntVec step(const IntVec& sum, const ByteVec& w, const int32_t& x) {
    return dot4(sum, w, &x);
  }
};

#if defined(__AVX512BF16__)
struct Bf16Dot : F32Fma {
  static constexpr int64_t kProducts = 2 * kLanes;
  static constexpr uint32_t kInput = 0xbf003f00;  // 0.5, -0.5

  static PairVec weights() { return {_mm512_set1_epi16(0x3f00)}; }
  TERN_INLINE static Vec step(const Vec& sum, const PairVec& w, const Vec& x) {
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)w.v, (__m512bh)_mm512_castps_si512(x.v))};
  }
};
#endif

template <class Product>
int64_t probe_multiply(int64_t steps, float* out) {
  constexpr int kChains = Product::kChains;
  typename Product::Sum sums[kChains];
#pragma GCC unroll 32
  for (int c = 0; c < kChains; ++c) sums[c] = Product::start();
  auto w = Product::weights();
  int32_t input = static_cast<int32_t>(Product::kInput);
  asm volatile("" : "+r"(input));  // no constant
  const auto x = Product::input(input);
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 32
    for (int c = 0; c < kChains; ++c) {
      hide(w);
      sums[c] = Product::step(sums[c], w, x);
      if constexpr (kHidesRegisters) hide(sums[c]);  // g++ 12 copies sums to and fro otherwise
    }
  }
  Vec total = zero();
#pragma GCC unroll 32
  for (int c = 0; c < kChains; ++c) total = total + Product::result(sums[c]);
  store(out, total);
  return 2 * steps * kChains * Product::kProducts;
}

/// A template, so that an instruction set need not have it.
template <int kChains>
void probe_read(const float* data, int64_t count, float* out) {
  static_assert(Probe::kReadMultiple % (kChains * kLanes) == 0);
  Vec sums[kChains];
#pragma GCC unroll 8
  for (int c = 0; c < kChains; ++c) sums[c] = zero();
  for (int64_t i = 0; i < count; i += kChains * kLanes) {
#pragma GCC unroll 8
    for (int c = 0; c < kChains; ++c) sums[c] = sums[c] + load(data + i + c * kLanes);
  }
  Vec total = zero();
#pragma GCC unroll 8
  for (int c = 0; c < kChains; ++c) total = total + sums[c];
  store(out, total);
}

}  // namespace
}  // namespace tern
