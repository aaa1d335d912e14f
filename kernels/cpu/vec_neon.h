// Sixteen float lanes in four NEON registers.
#pragma once

#include <arm_neon.h>

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

struct Vec {
  float32x4_t v[4];
};

/// Vecs by which the register file (32 registers) bounds a tile of `rows` x tile_vecs(rows)
/// accumulators.
constexpr int kMaxTileRows = 4;
constexpr int tile_vecs(int rows) {
  return rows == 1 ? 4 : rows <= 3 ? 2 : 1;
}

/// One register at a time: f(register).
template <class F>
TERN_INLINE Vec quarterwise(F f) {
  return {{f(0), f(1), f(2), f(3)}};
}
/// Lanes below n of register `i`.
TERN_INLINE uint32x4_t first_lanes(int64_t n, int i) {
  const int32x4_t lane = {0, 1, 2, 3};
  return vcgtq_s32(vdupq_n_s32(static_cast<int32_t>(n) - 4 * i), lane);
}

TERN_INLINE Vec broadcast(float x) {
  return quarterwise([=](int) { return vdupq_n_f32(x); });
}
TERN_INLINE Vec zero() {
  return broadcast(0);
}
TERN_INLINE Vec load(const float* p) {
  return quarterwise([=](int i) { return vld1q_f32(p + 4 * i); });
}
TERN_INLINE Vec load(const Bf16* p) {
  return quarterwise([=](int i) {
    const uint16x4_t bits = vld1_u16(reinterpret_cast<const uint16_t*>(p + 4 * i));
    return vreinterpretq_f32_u32(vshll_n_u16(bits, 16));
  });
}
TERN_INLINE Vec load(const F16* p) {
  return quarterwise([=](int i) {
    const uint16x4_t bits = vld1_u16(reinterpret_cast<const uint16_t*>(p + 4 * i));
    return vcvt_f32_f16(vreinterpret_f16_u16(bits));
  });
}
/// Lanes from n on are zero and their memory is not touched; 0 <= n <= 16.
TERN_INLINE Vec load_first(const float* p, int64_t n) {
  if (n == kLanes) return load(p);
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
TERN_INLINE void store(float* p, Vec a) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
TERN_INLINE void store_first(float* p, Vec a, int64_t n) {
  if (n == kLanes) return store(p, a);
  float lanes[kLanes];
  store(lanes, a);
  for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}
/// a in the first n lanes, b in the others.
TERN_INLINE Vec select_first(int64_t n, Vec a, Vec b) {
  return quarterwise([&](int i) { return vbslq_f32(first_lanes(n, i), a.v[i], b.v[i]); });
}
/// `negative` where x < 0, else `other`.
TERN_INLINE Vec select_negative(Vec x, Vec negative, Vec other) {
  return quarterwise(
      [&](int i) { return vbslq_f32(vcltzq_f32(x.v[i]), negative.v[i], other.v[i]); });
}

TERN_INLINE Vec operator+(Vec a, Vec b) {
  return quarterwise([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
}
TERN_INLINE Vec operator-(Vec a, Vec b) {
  return quarterwise([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
}
TERN_INLINE Vec operator*(Vec a, Vec b) {
  return quarterwise([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
}
TERN_INLINE Vec operator/(Vec a, Vec b) {
  return quarterwise([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
}
TERN_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return quarterwise([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
TERN_INLINE Vec negate(Vec a) {
  return quarterwise([&](int i) { return vnegq_f32(a.v[i]); });
}
TERN_INLINE float32x4_t max_or_second(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}
/// Where either is NaN: b.
TERN_INLINE Vec max(Vec a, Vec b) {
  return quarterwise([&](int i) { return max_or_second(a.v[i], b.v[i]); });
}
TERN_INLINE Vec min(Vec a, Vec b) {
  return quarterwise([&](int i) { return vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]); });
}

TERN_INLINE float32x4_t pow2(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
/// a * 2^n, rounded once, for whole n in [-150, 129].
TERN_INLINE Vec scale_by_pow2(Vec a, Vec n) {
  // In two factors, each a normal number; only the second product can round.
  return quarterwise([&](int i) {
    const int32x4_t whole = vcvtq_s32_f32(n.v[i]), half = vshrq_n_s32(whole, 1);
    return vmulq_f32(vmulq_f32(a.v[i], pow2(half)), pow2(vsubq_s32(whole, half)));
  });
}

/// The compiler takes `a` for new, and leaves it in its registers: probe.inl.
constexpr bool kHidesRegisters = true;
template <class V>
TERN_INLINE void hide(V& a) {
  asm volatile("" : "+w"(a.v[0]), "+w"(a.v[1]), "+w"(a.v[2]), "+w"(a.v[3]));
}

/// The fixed tree: lane i meets i + 8, then i + 4, i + 2, i + 1.
TERN_INLINE float reduce_add(Vec a) {
  const float32x4_t four = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
TERN_INLINE float reduce_max(Vec a) {
  const float32x4_t four =
      max_or_second(max_or_second(a.v[0], a.v[2]), max_or_second(a.v[1], a.v[3]));
  const float x = vgetq_lane_f32(four, 0), y = vgetq_lane_f32(four, 1), z = vgetq_lane_f32(four, 2),
              w = vgetq_lane_f32(four, 3);
  const float xz = x > z ? x : z, yw = y > w ? y : w;
  return xz > yw ? xz : yw;
}

}  // namespace
}  // namespace tern
