// Sixteen float lanes in plain C++, for any CPU. fma rounds twice here: its results differ in their
// last bits from those of the instruction sets that have one.
#pragma once

#include "kernels/cpu/isa.h"

namespace tern {
namespace {

struct Vec {
  float v[kLanes];
};

/// Vecs by which the register file bounds a tile of `rows` x tile_vecs(rows) accumulators.
constexpr int kMaxTileRows = 3;
constexpr int tile_vecs(int) {
  return 1;
}

/// One lane at a time: f(lane).
template <class F>
TERN_INLINE Vec lanewise(F f) {
  Vec r;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) r.v[i] = f(i);
  return r;
}

TERN_INLINE Vec broadcast(float x) {
  return lanewise([=](int) { return x; });
}
TERN_INLINE Vec zero() {
  return broadcast(0);
}
TERN_INLINE Vec load(const float* p) {
  return lanewise([=](int i) { return p[i]; });
}
TERN_INLINE Vec load(const Bf16* p) {
  return lanewise([=](int i) { return to_float(p[i]); });
}
TERN_INLINE Vec load(const F16* p) {
  return lanewise([=](int i) { return to_float(p[i]); });
}
/// Lanes from n on are zero and their memory is not touched; 0 <= n <= 16.
TERN_INLINE Vec load_first(const float* p, int64_t n) {
  return lanewise([=](int i) { return i < n ? p[i] : 0.0f; });
}
TERN_INLINE void store_first(float* p, Vec a, int64_t n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
TERN_INLINE void store(float* p, Vec a) {
  store_first(p, a, kLanes);
}
/// a in the first n lanes, b in the others.
TERN_INLINE Vec select_first(int64_t n, Vec a, Vec b) {
  return lanewise([&](int i) { return i < n ? a.v[i] : b.v[i]; });
}
/// `negative` where x < 0, else `other`.
TERN_INLINE Vec select_negative(Vec x, Vec negative, Vec other) {
  return lanewise([&](int i) { return x.v[i] < 0 ? negative.v[i] : other.v[i]; });
}

TERN_INLINE Vec operator+(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] + b.v[i]; });
}
TERN_INLINE Vec operator-(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] - b.v[i]; });
}
TERN_INLINE Vec operator*(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] * b.v[i]; });
}
TERN_INLINE Vec operator/(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] / b.v[i]; });
}
TERN_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return lanewise([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}
TERN_INLINE Vec negate(Vec a) {
  return lanewise([&](int i) { return -a.v[i]; });
}
/// Where either is NaN: b.
TERN_INLINE Vec max(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
TERN_INLINE Vec min(Vec a, Vec b) {
  return lanewise([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}

TERN_INLINE float pow2(int n) {
  return __builtin_bit_cast(float, (n + 127) << 23);
}
/// a * 2^n, rounded once, for whole n in [-150, 129].
TERN_INLINE Vec scale_by_pow2(Vec a, Vec n) {
  // In two factors, each a normal number; only the second product can round. A NaN stands in a.
  return lanewise([&](int i) {
    const int whole = n.v[i] == n.v[i] ? static_cast<int>(n.v[i]) : 0;
    const int half = whole >> 1;
    return a.v[i] * pow2(half) * pow2(whole - half);
  });
}

/// The compiler takes `a` for new; it comes to lie in memory: probe.inl.
constexpr bool kHidesRegisters = false;
template <class V>
TERN_INLINE void hide(V& a) {
  asm volatile("" : "+m"(a));
}

/// The fixed tree: lane i meets i + 8, then i + 4, i + 2, i + 1.
TERN_INLINE float reduce_add(Vec a) {
#pragma GCC unroll 4
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.v[i] += a.v[i + width];
  return a.v[0];
}
TERN_INLINE float reduce_max(Vec a) {
#pragma GCC unroll 4
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
  return a.v[0];
}

}  // namespace
}  // namespace tern
