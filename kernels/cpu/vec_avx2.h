// Sixteen float lanes in two AVX2 registers.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

struct Vec {
  __m256 lo, hi;
};

/// Vecs by which the register file bounds a tile of `rows` x tile_vecs(rows) accumulators.
constexpr int kMaxTileRows = 6;
constexpr int tile_vecs(int rows) {
  return rows == 1 ? 4 : rows == 2 ? 3 : rows == 3 ? 2 : 1;
}

TERN_INLINE __m256i first_lanes(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
TERN_INLINE __m256 widen(const Bf16* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
TERN_INLINE __m256 widen(const F16* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

TERN_INLINE Vec zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
TERN_INLINE Vec broadcast(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
TERN_INLINE Vec load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
TERN_INLINE Vec load(const Bf16* p) {
  return {widen(p), widen(p + 8)};
}
TERN_INLINE Vec load(const F16* p) {
  return {widen(p), widen(p + 8)};
}
/// Lanes from n on are zero and their memory is not touched; 0 <= n <= 16.
TERN_INLINE Vec load_first(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, first_lanes(n)), _mm256_maskload_ps(p + 8, first_lanes(n - 8))};
}
TERN_INLINE void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
TERN_INLINE void store_first(float* p, Vec a, int64_t n) {
  if (n == kLanes) return store(p, a);  // masked stores are microcoded on some CPUs
  _mm256_maskstore_ps(p, first_lanes(n), a.lo);
  _mm256_maskstore_ps(p + 8, first_lanes(n - 8), a.hi);
}
/// a in the first n lanes, b in the others.
TERN_INLINE Vec select_first(int64_t n, Vec a, Vec b) {
  return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(first_lanes(n))),
          _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(first_lanes(n - 8)))};
}
/// `negative` where x < 0, else `other`.
TERN_INLINE Vec select_negative(Vec x, Vec negative, Vec other) {
  const __m256 zero = _mm256_setzero_ps();
  return {_mm256_blendv_ps(other.lo, negative.lo, _mm256_cmp_ps(x.lo, zero, _CMP_LT_OQ)),
          _mm256_blendv_ps(other.hi, negative.hi, _mm256_cmp_ps(x.hi, zero, _CMP_LT_OQ))};
}

TERN_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
TERN_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
TERN_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
TERN_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
TERN_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
TERN_INLINE Vec negate(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign)};
}
/// Where either is NaN: b.
TERN_INLINE Vec max(Vec a, Vec b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
TERN_INLINE Vec min(Vec a, Vec b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}

TERN_INLINE __m256 pow2(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
TERN_INLINE __m256 scale_by_pow2(__m256 a, __m256 n) {
  // In two factors, each a normal number; only the second product can round.
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(a, pow2(half)), pow2(_mm256_sub_epi32(whole, half)));
}
/// a * 2^n, rounded once, for whole n in [-150, 129].
TERN_INLINE Vec scale_by_pow2(Vec a, Vec n) {
  return {scale_by_pow2(a.lo, n.lo), scale_by_pow2(a.hi, n.hi)};
}

/// The compiler takes `a` for new, and leaves it in its registers: probe.inl.
constexpr bool kHidesRegisters = true;
template <class V>
TERN_INLINE void hide(V& a) {
  asm volatile("" : "+x"(a.lo), "+x"(a.hi));
}

TERN_INLINE __m256 lower(Vec a) {
  return a.lo;
}
TERN_INLINE __m256 upper(Vec a) {
  return a.hi;
}

}  // namespace
}  // namespace tern

#include "kernels/cpu/reduce_x86.h"
