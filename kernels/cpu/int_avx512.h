// Sixteen integer lanes in one AVX-512 register, and the dot products of four bytes or two 16-bit
// numbers in each.
#pragma once

#include "kernels/cpu/vec_avx512.h"

namespace tern {
namespace {

struct IntVec {
  __m512i v;
};
struct ByteVec {
  __m512i v;
};
struct PairVec {
  __m512i v;
};

/// As tile_vecs(): here a tile has a float and an integer accumulator for each output.
constexpr int kMaxIntTileRows = 4;
constexpr int int_tile_vecs(int rows, int planes) {
  return rows == 1 ? 10 - 2 * planes : rows == 2 ? 4 : 4 - planes;
}

/// Here the float accumulators stay in memory for the length of a group.
constexpr int kMaxPairTileRows = 6;
constexpr int pair_tile_vecs(int rows) {
  return rows == 1 ? 8 : rows <= 3 ? 6 : 4;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
TERN_INLINE ByteVec load_bytes(const std::byte* p) {
  return {_mm512_loadu_si512(p)};
}
TERN_INLINE ByteVec whole_bytes(ByteVec a) {
  return a;
}
TERN_INLINE ByteVec low_halves(ByteVec a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi8(15))};
}
TERN_INLINE ByteVec high_halves(ByteVec a) {
  return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4), _mm512_set1_epi8(15))};
}
/// a + 256 b.
TERN_INLINE IntVec add_times_256(IntVec a, IntVec b) {
  return {_mm512_add_epi32(a.v, _mm512_slli_epi32(b.v, 8))};
}
TERN_INLINE Vec to_floats(IntVec a) {
  return {_mm512_cvtepi32_ps(a.v)};
}

/// acc + the products of each lane's four unsigned codes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, ByteVec codes, const int32_t* x) {
  const __m512i xs = _mm512_set1_epi32(*x);
#if defined(__AVX512VNNI__)
  // Not the intrinsic, around which g++ 12 copies the accumulator.
  asm("vpdpbusd %2, %1, %0" : "+v"(acc.v) : "v"(codes.v), "v"(xs));
  return acc;
#else
  // Even and odd bytes as 16-bit numbers: nothing can saturate.
  const __m512i even = _mm512_madd_epi16(_mm512_and_si512(codes.v, _mm512_set1_epi16(255)),
                                         _mm512_srai_epi16(_mm512_slli_epi16(xs, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(codes.v, 8), _mm512_srai_epi16(xs, 8));
  return {_mm512_add_epi32(acc.v, _mm512_add_epi32(even, odd))};
#endif
}

TERN_INLINE PairVec load_pairs(const std::byte* p) {
  return {_mm512_loadu_si512(p)};
}
/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, PairVec w, const int32_t* x) {
  const __m512i xs = _mm512_set1_epi32(*x);
#if defined(__AVX512VNNI__)
  // As above.
  asm("vpdpwssd %2, %1, %0" : "+v"(acc.v) : "v"(w.v), "v"(xs));
  return acc;
#else
  return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(w.v, xs))};
#endif
}
/// The floats whose exponents are these sixteen bytes.
TERN_INLINE Vec powers_of_two(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(bytes), 23))};
}

}  // namespace
}  // namespace tern
