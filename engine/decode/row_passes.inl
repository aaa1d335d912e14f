// The bodies of row_passes.h, for the instruction set that the including file is compiled for. No
// template of the standard library: the linker might keep its AVX-512 code for every CPU.
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "engine/decode/row_passes.h"

// Everything here is inlined, so nothing depends on how vectors are passed.
#pragma GCC diagnostic ignored "-Wpsabi"
#define TERN_INLINE inline __attribute__((always_inline))

namespace tern {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef float FloatVector __attribute__((vector_size(kVectorBytes)));
typedef double DoubleVector __attribute__((vector_size(kVectorBytes)));
typedef int32_t IntVector __attribute__((vector_size(kVectorBytes)));

// Whatever the machine's vectors hold, the arithmetic has 16 lanes: pairs of pairs of vectors,
// whose lower lanes come first.
constexpr int kLanes = 16;
template <class T>
struct Pair {
  T low, high;
};
template <class T, int kTimes>
struct Paired {
  using Type = Pair<typename Paired<T, kTimes / 2>::Type>;
};
template <class T>
struct Paired<T, 1> {
  using Type = T;
};
using Floats = Paired<FloatVector, 64 / kVectorBytes>::Type;
using Doubles = Paired<DoubleVector, 128 / kVectorBytes>::Type;
static_assert(sizeof(Floats) == kLanes * sizeof(float));
static_assert(sizeof(Doubles) == kLanes * sizeof(double));

template <class T>
TERN_INLINE Pair<T> operator+(const Pair<T>& a, const Pair<T>& b) {
  return {a.low + b.low, a.high + b.high};
}
template <class T>
TERN_INLINE Pair<T> operator-(const Pair<T>& a, const Pair<T>& b) {
  return {a.low - b.low, a.high - b.high};
}
template <class T>
TERN_INLINE Pair<T> operator*(const Pair<T>& a, const Pair<T>& b) {
  return {a.low * b.low, a.high * b.high};
}

TERN_INLINE Pair<DoubleVector> widen(FloatVector x) {
#if defined(__AVX512F__)
  return {_mm512_cvtps_pd(_mm512_castps512_ps256(x)),
          _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))};
#elif defined(__AVX2__)
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
#elif defined(__x86_64__)
  return {_mm_cvtps_pd(x), _mm_cvtps_pd(_mm_movehl_ps(x, x))};
#elif defined(__aarch64__)
  return {vcvt_f64_f32(vget_low_f32(x)), vcvt_high_f64_f32(x)};
#else
  return {DoubleVector{double(x[0]), double(x[1])}, DoubleVector{double(x[2]), double(x[3])}};
#endif
}
template <class T>
TERN_INLINE auto widen(const Pair<T>& x) {
  return Pair<decltype(widen(x.low))>{widen(x.low), widen(x.high)};
}

TERN_INLINE FloatVector narrow(const Pair<DoubleVector>& x) {
#if defined(__AVX512F__)
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(x.low)), _mm512_cvtpd_ps(x.high),
                            1);
#elif defined(__AVX2__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(x.low)),
                              _mm256_cvtpd_ps(x.high), 1);
#elif defined(__x86_64__)
  return _mm_movelh_ps(_mm_cvtpd_ps(x.low), _mm_cvtpd_ps(x.high));
#elif defined(__aarch64__)
  return vcvt_high_f32_f64(vcvt_f32_f64(x.low), x.high);
#else
  return FloatVector{float(x.low[0]), float(x.low[1]), float(x.high[0]), float(x.high[1])};
#endif
}
template <class T>
TERN_INLINE auto narrow(const Pair<Pair<T>>& x) {
  return Pair<decltype(narrow(x.low))>{narrow(x.low), narrow(x.high)};
}

// Vector by vector: a copy of several at once goes over the stack in smaller pieces.
template <class V>
TERN_INLINE void load(const float* p, V& out) {
  __builtin_memcpy(&out, p, sizeof out);
}
template <class T>
TERN_INLINE void load(const float* p, Pair<T>& out) {
  load(p, out.low);
  load(p + sizeof(T) / sizeof(float), out.high);
}
TERN_INLINE Floats load(const float* p) {
  Floats out;
  load(p, out);
  return out;
}
template <class V>
TERN_INLINE void store(float* p, const V& x) {
  __builtin_memcpy(p, &x, sizeof x);
}
template <class T>
TERN_INLINE void store(float* p, const Pair<T>& x) {
  store(p, x.low);
  store(p + sizeof(T) / sizeof(float), x.high);
}
/// The first `count` < 16 values at p, `rest` in the other lanes.
TERN_INLINE Floats load_first(const float* p, int64_t count, float rest) {
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = i < count ? p[i] : rest;
  return load(lanes);
}

TERN_INLINE void fill(FloatVector& v, float x) {
  v = FloatVector{} + x;
}
TERN_INLINE void fill(DoubleVector& v, double x) {
  v = DoubleVector{} + x;
}
template <class T>
TERN_INLINE void fill(Pair<T>& v, double x) {
  fill(v.low, x);
  fill(v.high, x);
}
/// x in every lane.
template <class T>
TERN_INLINE T broadcast(double x) {
  T out;
  fill(out, x);
  return out;
}

/// b where a is NaN.
TERN_INLINE FloatVector larger(FloatVector a, FloatVector b) {
  return a > b ? a : b;
}
TERN_INLINE DoubleVector larger(DoubleVector a, DoubleVector b) {
  return a > b ? a : b;
}
template <class T>
TERN_INLINE Pair<T> larger(const Pair<T>& a, const Pair<T>& b) {
  return {larger(a.low, b.low), larger(a.high, b.high)};
}

/// Lanes less than `least` become 0.
TERN_INLINE FloatVector zero_below(FloatVector x, FloatVector least) {
  return x >= least ? x : FloatVector{};
}
template <class T>
TERN_INLINE Pair<T> zero_below(const Pair<T>& x, const Pair<T>& least) {
  return {zero_below(x.low, least.low), zero_below(x.high, least.high)};
}

/// 2^(n + 64) for whole n in [-151, 0], from its bits: the lowest of 1.5 × 2^23 + n + 191 are those
/// of its exponent.
TERN_INLINE FloatVector scaled_power(FloatVector n) {
  return (FloatVector)((IntVector)(n + (0x1.8p23f + 191.0f)) << 23);
}
template <class T>
TERN_INLINE Pair<T> scaled_power(const Pair<T>& n) {
  return {scaled_power(n.low), scaled_power(n.high)};
}

// Lanes i and i + 8 first, then i and i + 4, and so on.
TERN_INLINE double sum_lanes(DoubleVector x) {
  constexpr int kCount = kVectorBytes / sizeof(double);
  double lanes[kCount];
  __builtin_memcpy(lanes, &x, sizeof lanes);
  for (int half = kCount / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
template <class T>
TERN_INLINE double sum_lanes(const Pair<T>& x) {
  return sum_lanes(x.low + x.high);
}

TERN_INLINE float largest_lane(FloatVector x) {
  float lanes[kVectorBytes / sizeof(float)];
  store(lanes, x);
  float out = lanes[0];
  for (const float lane : lanes) out = lane > out ? lane : out;
  return out;
}
template <class T>
TERN_INLINE float largest_lane(const Pair<T>& x) {
  return largest_lane(larger(x.low, x.high));
}

LargestLogit find_largest(const float* values, int64_t count) {
  constexpr int64_t kSearched = 1024;  // entries that are looked through again for the id
  const Floats zero = broadcast<Floats>(0), lowest = broadcast<Floats>(-__builtin_inff());
  Floats faults = zero;  // becomes NaN where an infinity or a NaN has been
  float best = -__builtin_inff();
  int64_t best_first = 0;
  for (int64_t first = 0; first < count; first += kSearched) {
    const int64_t end = first + kSearched < count ? first + kSearched : count;
    Floats block = lowest;
    for (int64_t i = first; i < end; i += kLanes) {
      const Floats x =
          end - i >= kLanes ? load(values + i) : load_first(values + i, end - i, values[i]);
      block = larger(x, block);
      faults = faults + x * zero;
    }
    const float value = largest_lane(block);
    if (value <= best) continue;
    best = value;
    best_first = first;
  }
  float lanes[kLanes];
  store(lanes, faults);
  LargestLogit out{.value = best, .id = 0, .finite = true};
  for (const float lane : lanes) out.finite &= lane == 0;
  int64_t id = best_first;
  while (id < count && values[id] != best) ++id;
  out.id = id < count ? static_cast<int32_t>(id) : 0;
  return out;
}

/// 2^t for t <= 0: 0 below -150, 1 at 0.
TERN_INLINE Floats pow2(Doubles t) {
  // t = n + f, |f| <= 1/2: adding 1.5 × 2^52 rounds to a whole number. Up to here in double, so
  // that a large t costs no place of the result.
  const Doubles magic = broadcast<Doubles>(0x1.8p52);
  t = larger(t, broadcast<Doubles>(-151));
  const Doubles n = (t + magic) - magic;
  const Floats f = narrow(t - n);
  // 2^f = 1 + f p(f); p interpolates at Chebyshev's nodes, relative error 9.2e-9.
  Floats p = broadcast<Floats>(0x1.44138ap-13);
  p = p * f + broadcast<Floats>(0x1.5f089p-10);
  p = p * f + broadcast<Floats>(0x1.3b2a54p-7);
  p = p * f + broadcast<Floats>(0x1.c6af6cp-5);
  p = p * f + broadcast<Floats>(0x1.ebfbep-3);
  p = p * f + broadcast<Floats>(0x1.62e43p-1);
  p = p * f + broadcast<Floats>(1);
  // The second factor rounds to a subnormal number where n asks for one.
  return p * scaled_power(narrow(n)) * broadcast<Floats>(0x1p-64);
}

void weigh(const WeighLogits& args) {
  const WeighLogits a = args;  // an own copy, which no store below can change
  const Doubles largest = broadcast<Doubles>(a.largest);
  const Doubles scale = broadcast<Doubles>(a.scale * 0x1.71547652b82fep0);  // 1 / ln 2
  const Floats min_weight = broadcast<Floats>(a.min_weight);
  for (int64_t first = 0, block = 0; first < a.count; first += WeighLogits::kBlock, ++block) {
    Doubles sum = broadcast<Doubles>(0);
    Floats block_largest = broadcast<Floats>(0);
    for (int64_t i = first; i < first + WeighLogits::kBlock; i += kLanes) {
      const int64_t left = a.count - i;
      const Floats x =
          left >= kLanes ? load(a.logits + i) : load_first(a.logits + i, left, -__builtin_inff());
      const Floats weight = zero_below(pow2((widen(x) - largest) * scale), min_weight);
      store(a.weights + i, weight);
      block_largest = larger(weight, block_largest);
      sum = sum + widen(weight);
    }
    a.block_sum[block] = sum_lanes(sum);
    a.block_largest[block] = largest_lane(block_largest);
  }
}

}  // namespace
}  // namespace tern
