// Sixteen float lanes in one AVX-512 register.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

struct Vec {
  __m512 v;
};

/// Vecs by which the register file bounds a tile of `rows` x tile_vecs(rows) accumulators.
constexpr int kMaxTileRows = 8;
constexpr int tile_vecs(int rows) {
  return rows == 1 ? 8 : rows <= 3 ? 6 : rows <= 6 ? 4 : 3;
}

TERN_INLINE __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>((1u << n) - 1);
}

TERN_INLINE Vec zero() {
  return {_mm512_setzero_ps()};
}
TERN_INLINE Vec broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
TERN_INLINE Vec load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
TERN_INLINE Vec load(const Bf16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
TERN_INLINE Vec load(const F16* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
/// Lanes from n on are zero and their memory is not touched; 0 <= n <= 16.
TERN_INLINE Vec load_first(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
TERN_INLINE void store(float* p, Vec a) {
  _mm512_storeu_ps(p, a.v);
}
TERN_INLINE void store_first(float* p, Vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), a.v);
}
/// a in the first n lanes, b in the others.
TERN_INLINE Vec select_first(int64_t n, Vec a, Vec b) {
  return {_mm512_mask_blend_ps(first_lanes(n), b.v, a.v)};
}
/// `negative` where x < 0, else `other`.
TERN_INLINE Vec select_negative(Vec x, Vec negative, Vec other) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_LT_OQ), other.v,
                               negative.v)};
}

TERN_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm512_add_ps(a.v, b.v)};
}
TERN_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
TERN_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
TERN_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm512_div_ps(a.v, b.v)};
}
TERN_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
TERN_INLINE Vec negate(Vec a) {
  return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))};
}
/// Where either is NaN: b.
TERN_INLINE Vec max(Vec a, Vec b) {
  return {_mm512_max_ps(a.v, b.v)};
}
TERN_INLINE Vec min(Vec a, Vec b) {
  return {_mm512_min_ps(a.v, b.v)};
}

/// a * 2^n, rounded once, for whole n in [-150, 129].
TERN_INLINE Vec scale_by_pow2(Vec a, Vec n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}

/// The compiler takes `a` for new, and leaves it in its registers: probe.inl.
constexpr bool kHidesRegisters = true;
template <class V>
TERN_INLINE void hide(V& a) {
  asm volatile("" : "+v"(a.v));
}

TERN_INLINE __m256 lower(Vec a) {
  return _mm512_castps512_ps256(a.v);
}
TERN_INLINE __m256 upper(Vec a) {
  return _mm512_extractf32x8_ps(a.v, 1);
}

}  // namespace
}  // namespace tern

#include "kernels/cpu/reduce_x86.h"
