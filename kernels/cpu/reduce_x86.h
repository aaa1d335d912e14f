// The fixed trees that both x86 widths share: lane i meets i + 8, then i + 4, i + 2, i + 1.
#pragma once

#include <immintrin.h>

namespace tern {
namespace {

TERN_INLINE float reduce_add(Vec a) {
  const __m256 eight = _mm256_add_ps(lower(a), upper(a));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

TERN_INLINE float reduce_max(Vec a) {
  const __m256 eight = _mm256_max_ps(lower(a), upper(a));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace
}  // namespace tern
