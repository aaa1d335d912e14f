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
template <class T, int kTimes>
using Times = typename Paired<T, kTimes>::Type;
using Floats = Times<FloatVector, 64 / kVectorBytes>;
using Ints = Times<IntVector, 64 / kVectorBytes>;
using Doubles = Times<DoubleVector, 128 / kVectorBytes>;
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
TERN_INLINE Pair<T> operator&(const Pair<T>& a, const Pair<T>& b) {
  return {a.low & b.low, a.high & b.high};
}
template <class T>
TERN_INLINE Pair<T> operator>>(const Pair<T>& a, int count) {
  return {a.low >> count, a.high >> count};
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
TERN_INLINE void fill(IntVector& v, int32_t x) {
  v = IntVector{} + x;
}
template <class T, class X>
TERN_INLINE void fill(Pair<T>& v, X x) {
  fill(v.low, x);
  fill(v.high, x);
}
/// x in every lane.
template <class T, class X>
TERN_INLINE T broadcast(X x) {
  T out;
  fill(out, x);
  return out;
}

/// b where a is NaN.
TERN_INLINE FloatVector larger(FloatVector a, FloatVector b) {
  return a > b ? a : b;
}
TERN_INLINE DoubleVector larger(DoubleVector a, DoubleVector b) {
#if defined(__AVX512F__)  // which g++ 12 does not see in the comparison
  return _mm512_max_pd(a, b);
#elif defined(__AVX2__)
  return _mm256_max_pd(a, b);
#elif defined(__x86_64__)
  return _mm_max_pd(a, b);
#else
  return a > b ? a : b;
#endif
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

/// The lower halves of the lanes' bits.
TERN_INLINE IntVector low_bits(const Pair<DoubleVector>& x) {
#if defined(__AVX512F__)
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return (IntVector)_mm512_permutex2var_epi32((__m512i)x.low, even, (__m512i)x.high);
#elif defined(__AVX2__)
  const __m256 halves = _mm256_shuffle_ps((__m256)x.low, (__m256)x.high, 0x88);
  return (IntVector)_mm256_permute4x64_pd((__m256d)halves, 0xd8);
#elif defined(__x86_64__)
  return (IntVector)_mm_shuffle_ps((__m128)x.low, (__m128)x.high, 0x88);
#elif defined(__aarch64__)
  return vuzp1q_s32((int32x4_t)x.low, (int32x4_t)x.high);
#else
  int64_t lanes[4];
  __builtin_memcpy(lanes, &x, sizeof lanes);
  return IntVector{int32_t(lanes[0]), int32_t(lanes[1]), int32_t(lanes[2]), int32_t(lanes[3])};
#endif
}
template <class T>
TERN_INLINE auto low_bits(const Pair<Pair<T>>& x) {
  return Pair<decltype(low_bits(x.low))>{low_bits(x.low), low_bits(x.high)};
}

TERN_INLINE FloatVector to_float(IntVector x) {
  return __builtin_convertvector(x, FloatVector);
}
template <class T>
TERN_INLINE auto to_float(const Pair<T>& x) {
  return Pair<decltype(to_float(x.low))>{to_float(x.low), to_float(x.high)};
}

/// The bits of floats.
TERN_INLINE IntVector bits_of(FloatVector x) {
  return (IntVector)x;
}
template <class T>
TERN_INLINE auto bits_of(const Pair<T>& x) {
  return Pair<decltype(bits_of(x.low))>{bits_of(x.low), bits_of(x.high)};
}

/// The floats that have these bits.
TERN_INLINE FloatVector from_bits(IntVector x) {
  return (FloatVector)x;
}
template <class T>
TERN_INLINE auto from_bits(const Pair<T>& x) {
  return Pair<decltype(from_bits(x.low))>{from_bits(x.low), from_bits(x.high)};
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
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(x);
#elif defined(__x86_64__)
#if defined(__AVX2__)
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
#else
  __m128 half = x;
#endif
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
#elif defined(__aarch64__)
  return vmaxvq_f32(x);
#else
  float out = x[0];
  for (int i = 1; i < 4; ++i) out = x[i] > out ? x[i] : out;
  return out;
#endif
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

/// 2^(t / 2^24) for t in [-127 × 2^24, 0]: 0 at the lower end, 1 at 0, and too small below 2^-126.
template <class AnyFloats, class AnyInts>
TERN_INLINE AnyFloats pow2(const AnyInts& t) {
  const auto ints = [](int32_t x) { return broadcast<AnyInts>(x); };
  const auto floats = [](float x) { return broadcast<AnyFloats>(x); };
  // t / 2^24 = n + f, 0 <= f < 1. A float's bits are its exponent and behind it the mantissa, so
  // the bits of 2^(n + f) are about 2^23 × (127 + n + f). What is missing is 2^23 × c(f), c(f) =
  // 2^f - 1 - f = f (1 - f) r(f), between -0.09 and 0, so that a short polynomial gives all places:
  // with r minimax in floats c is wrong by at most 0.08 × 2^-24.
  const AnyFloats f = to_float(t & ints((1 << 24) - 1));  // times 2^24
  AnyFloats r = floats(-0x1.cb1d58p-13f * 0x1p-96f);
  r = r * f + floats(-0x1.7e2468p-10f * 0x1p-72f);
  r = r * f + floats(-0x1.6d168p-7f * 0x1p-48f);
  r = r * f + floats(-0x1.10e32ep-4f * 0x1p-24f);
  r = r * f + floats(-0x1.3a37acp-2f);
  const AnyFloats c = f * (floats(0x1p24f) - f) * r;  // times 2^48
  // Adding 1.5 × 2^47 rounds to multiples of 2^24, which the lowest bits count.
  constexpr float kMagic = 0x1.8p47f;
  constexpr int32_t kMagicBits = 0x57400000;
  const AnyInts rounded = bits_of(c + floats(kMagic));
  return from_bits((t + rounded + ints((127 << 24) + 1 - kMagicBits)) >> 1);
}

// What weighs at a time. Of one chain of operations each waits for the one before; a processor
// finds others to do meanwhile where they stand beside it and registers are enough for it.
constexpr int kSideBySide = kVectorBytes == 64 ? 8 : 1;
using ManyFloats = Times<Floats, kSideBySide>;
using ManyDoubles = Times<Doubles, kSideBySide>;
static_assert(WeighLogits::kBlock % (kSideBySide * kLanes) == 0);

struct BlockSums {
  Doubles sum = broadcast<Doubles>(0);
  Floats largest = broadcast<Floats>(0);

  TERN_INLINE void add(const Floats& weights) {
    sum = sum + widen(weights);
    largest = larger(weights, largest);
  }
  template <class T>
  TERN_INLINE void add(const Pair<T>& weights) {
    add(weights.low);
    add(weights.high);
  }
};

template <bool kHasMinWeight>
TERN_INLINE void weigh_block(const WeighLogits& a, const float* logits, int64_t block) {
  const auto doubles = [](double x) { return broadcast<ManyDoubles>(x); };
  const ManyDoubles largest = doubles(a.largest);
  const ManyDoubles scale = doubles(a.scale * 0x1.71547652b82fep24);  // 2^24 / ln 2
  float* const weights = a.weights + block * WeighLogits::kBlock;
  BlockSums sums;
  for (int64_t i = 0; i < WeighLogits::kBlock; i += kSideBySide * kLanes) {
    ManyFloats x;
    load(logits + i, x);
    // In double up to a whole number, so that a large difference costs no place of the result:
    // adding 1.5 × 2^52 rounds to one, which the sum's lowest bits are.
    const ManyDoubles t = larger((widen(x) - largest) * scale, doubles(-0x1.fcp30));
    x = pow2<ManyFloats>(low_bits(t + doubles(0x1.8p52)));
    if constexpr (kHasMinWeight) x = zero_below(x, broadcast<ManyFloats>(a.min_weight));
    store(weights + i, x);
    sums.add(x);
  }
  a.block_sum[block] = sum_lanes(sums.sum);
  a.block_largest[block] = largest_lane(sums.largest);
}

template <bool kHasMinWeight>
TERN_INLINE void weigh_row(const WeighLogits& a) {
  const int64_t num_whole = a.count / WeighLogits::kBlock;
  for (int64_t block = 0; block < num_whole; ++block)
    weigh_block<kHasMinWeight>(a, a.logits + block * WeighLogits::kBlock, block);
  const int64_t first = num_whole * WeighLogits::kBlock;
  if (first == a.count) return;
  float rest[WeighLogits::kBlock];
  for (int64_t i = 0; i < WeighLogits::kBlock; ++i)
    rest[i] = first + i < a.count ? a.logits[first + i] : -__builtin_inff();
  weigh_block<kHasMinWeight>(a, rest, num_whole);
}

void weigh(const WeighLogits& args) {
  const WeighLogits a = args;  // an own copy, which no store can change
  if (a.min_weight > 0)
    weigh_row<true>(a);
  else
    weigh_row<false>(a);
}

/// Which lanes are in [lowest, limit), in the bits of a number, lane 0 in the lowest.
TERN_INLINE uint32_t lanes_between(FloatVector x, FloatVector lowest, FloatVector limit) {
#if defined(__AVX512F__)
  const __mmask16 reaches = _mm512_cmp_ps_mask(x, lowest, _CMP_GE_OQ);
  return _mm512_mask_cmp_ps_mask(reaches, x, limit, _CMP_LT_OQ);
#else
  const FloatVector between = (FloatVector)((x >= lowest) & (x < limit));
#if defined(__AVX2__)
  return uint32_t(_mm256_movemask_ps(between));
#elif defined(__x86_64__)
  return uint32_t(_mm_movemask_ps(between));
#else
  const IntVector lanes = (IntVector)between & IntVector{1, 2, 4, 8};
  return uint32_t(lanes[0] | lanes[1] | lanes[2] | lanes[3]);
#endif
#endif
}
template <class T>
TERN_INLINE uint32_t lanes_between(const Pair<T>& x, const Pair<T>& lowest, const Pair<T>& limit) {
  constexpr int kHalf = sizeof(T) / sizeof(float);
  return lanes_between(x.low, lowest.low, limit.low) |
         lanes_between(x.high, lowest.high, limit.high) << kHalf;
}

/// 1 in lanes that are at least `least`, else 0.
TERN_INLINE IntVector ones_from(FloatVector x, FloatVector least) {
  return x >= least ? IntVector{} + 1 : IntVector{};
}
template <class T>
TERN_INLINE auto ones_from(const Pair<T>& x, const Pair<T>& least) {
  return Pair<decltype(ones_from(x.low, x.low))>{ones_from(x.low, least.low),
                                                 ones_from(x.high, least.high)};
}

/// 1 in lanes that are equal, else 0.
TERN_INLINE IntVector ones_where_equal(FloatVector a, FloatVector b) {
  return a == b ? IntVector{} + 1 : IntVector{};
}
template <class T>
TERN_INLINE auto ones_where_equal(const Pair<T>& a, const Pair<T>& b) {
  return Pair<decltype(ones_where_equal(a.low, b.low))>{ones_where_equal(a.low, b.low),
                                                        ones_where_equal(a.high, b.high)};
}

TERN_INLINE int32_t sum_lanes(const Ints& x) {
  int32_t lanes[kLanes], sum = 0;
  __builtin_memcpy(lanes, &x, sizeof lanes);
  for (const int32_t lane : lanes) sum += lane;
  return sum;
}

/// Writes the lanes named by `mask` one behind the other, and what may be anything up to out + 16;
/// returns the end of the former.
TERN_INLINE float* append(float* out, const Floats& x, uint32_t mask) {
#if defined(__AVX512F__)
  _mm512_storeu_ps(out, _mm512_maskz_compress_ps(__mmask16(mask), x));
  return out + __builtin_popcount(mask);
#else
  if (mask == 0) return out;
  float lanes[kLanes];
  store(lanes, x);
  for (; mask != 0; mask &= mask - 1) *out++ = lanes[__builtin_ctz(mask)];
  return out;
#endif
}

SplitSums split(const SplitWeights& args) {
  const SplitWeights a = args;
  const Floats lowest = broadcast<Floats>(a.lowest), limit = broadcast<Floats>(a.limit);
  Doubles sum_above = broadcast<Doubles>(0);
  Ints num_above = {};
  float* end = a.between;
  const auto add = [&](const Floats& x) {
    sum_above = sum_above + widen(zero_below(x, limit));
    num_above = num_above + ones_from(x, limit);
    end = append(end, x, lanes_between(x, lowest, limit));
  };
  for (int64_t first = 0, block = 0; first < a.count; first += WeighLogits::kBlock, ++block) {
    if (a.block_largest && a.block_largest[block] < a.lowest) continue;
    const int64_t left = a.count - first;
    const int64_t stop = first + (left < WeighLogits::kBlock ? left : WeighLogits::kBlock);
    int64_t i = first;
    for (; i + kLanes <= stop; i += kLanes) add(load(a.weights + i));
    if (i < stop) add(load_first(a.weights + i, stop - i, -1));
  }
  const int64_t num = end - a.between;
  Doubles sum = broadcast<Doubles>(0);
  for (int64_t i = 0; i < num; i += kLanes)
    sum = sum +
          widen(num - i >= kLanes ? load(a.between + i) : load_first(a.between + i, num - i, 0));
  return {.sum_above = sum_lanes(sum_above),
          .num_above = sum_lanes(num_above),
          .sum_between = sum_lanes(sum),
          .num_between = num};
}

int32_t count_equal(const float* block, float weight) {
  const Floats wanted = broadcast<Floats>(weight);
  Ints num = {};
  for (int64_t i = 0; i < WeighLogits::kBlock; i += kLanes)
    num = num + ones_where_equal(load(block + i), wanted);
  return sum_lanes(num);
}

}  // namespace
}  // namespace tern
