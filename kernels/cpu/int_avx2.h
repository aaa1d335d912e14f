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

/// As tile_vecs(): the registers hold the sums of integers; those of floats stay in memory for the
/// length of a group.
constexpr int kMaxDotTileRows = 4;
constexpr int dot_tile_vecs(int rows) {
  return rows == 1 ? 4 : rows == 2 ? 2 : 1;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

/// Codes and int16 are multiplied as 16-bit numbers.
template <int kBits, class Pairs>
using Int16DotsOf = Pairs;

/// dot4() is made of products of 16 bits.
constexpr bool kHasByteDot = false;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
TERN_INLINE IntVec load_ints(const int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
TERN_INLINE Vec to_floats(IntVec a) {
  return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}

/// Bits [shift, shift + bits) of each 16-bit number.
template <int kBits, int kShift>
TERN_INLINE __m256i field(__m256i v) {
  if (kShift > 0) v = _mm256_srli_epi16(v, kShift);
  return kShift + kBits < 16 ? _mm256_and_si256(v, _mm256_set1_epi16((1 << kBits) - 1)) : v;
}
template <int kBits, int kShift>
TERN_INLINE PairVec load_fields(const std::byte* p) {
  return {field<kBits, kShift>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))),
          field<kBits, kShift>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32)))};
}
/// Part `kPart` of a block of 64 bytes, two neighbouring columns of each lane as 16-bit numbers.
template <int kBits, int kPart>
TERN_INLINE PairVec load_pairs(const std::byte* block) {
  return load_fields<kBits, part_shift<kBits>(kPart)>(block);
}
/// Part `kPart` of a block of codes, a byte each: of 4 bits the low halves, then the high ones.
template <int kBits, int kPart>
TERN_INLINE ByteVec load_codes(const std::byte* block) {
  const PairVec v = load_fields<16, kBits == 4 ? 4 * kPart : 0>(block);
  if (kBits == 8) return {v.lo, v.hi};
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(v.lo, mask), _mm256_and_si256(v.hi, mask)};
}

/// As asm, since g++ regroups sums of integers: products then wait in memory for each other.
TERN_INLINE __m256i add_ints(__m256i sum, __m256i products) {
  asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(products));
  return sum;
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
  return {add_ints(acc.lo, products(codes.lo, even, odd)),
          add_ints(acc.hi, products(codes.hi, even, odd))};
}

/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, PairVec w, const int32_t* x) {
  const __m256i xs = _mm256_set1_epi32(*x);
  return {add_ints(acc.lo, _mm256_madd_epi16(w.lo, xs)),
          add_ints(acc.hi, _mm256_madd_epi16(w.hi, xs))};
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
