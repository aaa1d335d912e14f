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

/// As tile_vecs(): the registers hold the sums of integers; those of floats stay in memory for the
/// length of a group.
constexpr int kMaxDotTileRows = 6;
constexpr int dot_tile_vecs(int rows) {
  return rows == 1 ? 8 : rows <= 3 ? 6 : 4;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

/// Codes and int16 are multiplied as 16-bit numbers.
template <int kBits, class Pairs>
using Int16DotsOf = Pairs;

/// Otherwise dot4() is made of products of 16 bits.
#if defined(__AVX512VNNI__)
constexpr bool kHasByteDot = true;
#else
constexpr bool kHasByteDot = false;
#endif

TERN_INLINE IntVec broadcast_int(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
TERN_INLINE IntVec load_ints(const int32_t* p) {
  return {_mm512_loadu_si512(p)};
}
TERN_INLINE Vec to_floats(IntVec a) {
  return {_mm512_cvtepi32_ps(a.v)};
}

/// Part `kPart` of a block of 64 bytes, two neighbouring columns of each lane as 16-bit numbers.
template <int kBits, int kPart>
TERN_INLINE PairVec load_pairs(const std::byte* block) {
  constexpr int kShift = part_shift<kBits>(kPart);
  __m512i v = _mm512_loadu_si512(block);
  if (kShift > 0) v = _mm512_srli_epi16(v, kShift);
  if (kShift + kBits < 16) v = _mm512_and_si512(v, _mm512_set1_epi16((1 << kBits) - 1));
  return {v};
}
/// Part `kPart` of a block of codes, a byte each: of 4 bits the low halves, then the high ones.
template <int kBits, int kPart>
TERN_INLINE ByteVec load_codes(const std::byte* block) {
  __m512i v = _mm512_loadu_si512(block);
  if (kPart > 0) v = _mm512_srli_epi16(v, 4);
  if (kBits == 4) v = _mm512_and_si512(v, _mm512_set1_epi8(15));
  return {v};
}

#if !defined(__AVX512VNNI__)
/// As asm, since g++ regroups sums of integers: products then wait in memory for each other.
TERN_INLINE __m512i add_ints(__m512i sum, __m512i products) {
  asm("vpaddd %1, %0, %0" : "+v"(sum) : "v"(products));
  return sum;
}
#endif

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
  return {add_ints(add_ints(acc.v, even), odd)};
#endif
}

/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, PairVec w, const int32_t* x) {
  const __m512i xs = _mm512_set1_epi32(*x);
#if defined(__AVX512VNNI__)
  // As above.
  asm("vpdpwssd %2, %1, %0" : "+v"(acc.v) : "v"(w.v), "v"(xs));
  return acc;
#else
  return {add_ints(acc.v, _mm512_madd_epi16(w.v, xs))};
#endif
}
/// The floats whose exponents are these sixteen bytes.
TERN_INLINE Vec powers_of_two(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(bytes), 23))};
}

}  // namespace
}  // namespace tern
