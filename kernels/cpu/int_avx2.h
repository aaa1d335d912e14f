// Sixteen integer lanes in two AVX2 registers, and the dot products of four bytes or two 16-bit
// numbers in each.
#pragma once

#include "kernels/cpu/vec_avx2.h"

namespace tern {
namespace {

struct IntVec {
  __m256i lo, hi;
};
struct ByteVec {
  __m256i lo, hi;
};
struct PairVec {
  __m256i lo, hi;
};

/// As tile_vecs(): here a tile has a float and an integer accumulator for each output.
constexpr int kMaxIntTileRows = 2;
constexpr int int_tile_vecs(int rows, int) {
  return rows == 1 ? 2 : 1;
}

/// Here the float accumulators stay in memory for the length of a group.
constexpr int kMaxPairTileRows = 4;
constexpr int pair_tile_vecs(int rows) {
  return rows == 1 ? 4 : rows == 2 ? 2 : 1;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
TERN_INLINE ByteVec load_bytes(const std::byte* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
TERN_INLINE ByteVec whole_bytes(ByteVec a) {
  return a;
}
TERN_INLINE ByteVec low_halves(ByteVec a) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
}
TERN_INLINE ByteVec high_halves(ByteVec a) {
  return low_halves({_mm256_srli_epi16(a.lo, 4), _mm256_srli_epi16(a.hi, 4)});
}
/// a + 256 b.
TERN_INLINE IntVec add_times_256(IntVec a, IntVec b) {
  return {_mm256_add_epi32(a.lo, _mm256_slli_epi32(b.lo, 8)),
          _mm256_add_epi32(a.hi, _mm256_slli_epi32(b.hi, 8))};
}
TERN_INLINE Vec to_floats(IntVec a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}

/// Even and odd bytes as 16-bit numbers: nothing can saturate.
TERN_INLINE __m256i products(__m256i codes, __m256i x_even, __m256i x_odd) {
  return _mm256_add_epi32(
      _mm256_madd_epi16(_mm256_and_si256(codes, _mm256_set1_epi16(255)), x_even),
      _mm256_madd_epi16(_mm256_srli_epi16(codes, 8), x_odd));
}

/// acc + the products of each lane's four unsigned codes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, ByteVec codes, const int32_t* x) {
  const __m256i xs = _mm256_set1_epi32(*x), odd = _mm256_srai_epi16(xs, 8);
  const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(xs, 8), 8);
  return {_mm256_add_epi32(acc.lo, products(codes.lo, even, odd)),
          _mm256_add_epi32(acc.hi, products(codes.hi, even, odd))};
}

TERN_INLINE PairVec load_pairs(const std::byte* p) {
  const ByteVec v = load_bytes(p);
  return {v.lo, v.hi};
}
/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, PairVec w, const int32_t* x) {
  const __m256i xs = _mm256_set1_epi32(*x);
  return {_mm256_add_epi32(acc.lo, _mm256_madd_epi16(w.lo, xs)),
          _mm256_add_epi32(acc.hi, _mm256_madd_epi16(w.hi, xs))};
}
/// The floats whose exponents are these sixteen bytes.
TERN_INLINE Vec powers_of_two(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m256i lo = _mm256_cvtepu8_epi32(bytes);
  const __m256i hi = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(lo, 23)),
          _mm256_castsi256_ps(_mm256_slli_epi32(hi, 23))};
}

}  // namespace
}  // namespace tern
