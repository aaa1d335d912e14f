// Sixteen integer lanes in one AVX-512 register, and the dot products of four bytes in each.
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

/// As tile_vecs(): here a tile has a float and an integer accumulator for each output.
constexpr int kMaxIntTileRows = 4;
constexpr int int_tile_vecs(int rows, int planes) {
  return rows == 1 ? 10 - 2 * planes : rows == 2 ? 4 : 4 - planes;
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
  return {_mm512_dpbusd_epi32(acc.v, codes.v, xs)};
#else
  // Even and odd bytes as 16-bit numbers: nothing can saturate.
  const __m512i even = _mm512_madd_epi16(_mm512_and_si512(codes.v, _mm512_set1_epi16(255)),
                                         _mm512_srai_epi16(_mm512_slli_epi16(xs, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(codes.v, 8), _mm512_srai_epi16(xs, 8));
  return {_mm512_add_epi32(acc.v, _mm512_add_epi32(even, odd))};
#endif
}

}  // namespace
}  // namespace tern
