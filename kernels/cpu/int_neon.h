// Sixteen integer lanes in four NEON registers, and the dot products of four bytes or two 16-bit
// numbers in each.
#pragma once

#include "kernels/cpu/vec_neon.h"

namespace tern {
namespace {

struct IntVec {
  int32x4_t v[4];
};
/// Signed: the dot product of this CPU multiplies signed bytes with signed ones.
struct ByteVec {
  int8x16_t v[4];
};

/// The first and the second number of each lane.
struct PairVec {
  int16x8_t first[2], second[2];
};

/// As tile_vecs(): the registers hold the sums of integers; those of floats stay in memory for the
/// length of a group.
constexpr int kMaxDotTileRows = 4;
constexpr int dot_tile_vecs(int rows) {
  return rows == 1 ? 2 : 1;
}

/// Codes of 8 bits come as c - 128.
constexpr bool kCenteredBytes = true;

/// dot4() is a step of its own.
constexpr bool kHasByteDot = true;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  const int32x4_t v = vdupq_n_s32(x);
  return {{v, v, v, v}};
}
TERN_INLINE Vec to_floats(IntVec a) {
  return quarterwise([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}

/// Part `kPart` of a block of codes, a byte each: of 4 bits the low halves, then the high ones.
template <int kBits, int kPart>
TERN_INLINE ByteVec load_codes(const std::byte* block) {
  ByteVec r;
  for (int i = 0; i < 4; ++i) {
    const uint8x16_t v = vld1q_u8(reinterpret_cast<const uint8_t*>(block) + 16 * i);
    const uint8x16_t codes = kBits == 8   ? veorq_u8(v, vdupq_n_u8(128))
                             : kPart == 0 ? vandq_u8(v, vdupq_n_u8(15))
                                          : vshrq_n_u8(v, 4);
    r.v[i] = vreinterpretq_s8_u8(codes);
  }
  return r;
}
/// acc + the products of each lane's four bytes with the same lane's of `x`; exact.
TERN_INLINE IntVec dot4(IntVec acc, const ByteVec& codes, int8x16_t x) {
  for (int i = 0; i < 4; ++i) acc.v[i] = vdotq_s32(acc.v[i], codes.v[i], x);
  return acc;
}
/// acc + the products of each lane's four bytes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, const ByteVec& codes, const int32_t* x) {
  return dot4(acc, codes, vreinterpretq_s8_s32(vdupq_n_s32(*x)));
}

/// Codes times int16, as two bytes: this CPU multiplies four bytes in the time of two 16-bit
/// numbers, at twice the rate. A class of dots: dots.inl.
template <int kBits>
struct PlaneDots {
  static constexpr int kMaxRows = 2;
  static constexpr int panels(int rows) { return rows == 1 ? 2 : 1; }
  static constexpr int64_t kBlockCols = 32 / kBits;
  static constexpr int kParts = 8 / kBits;
  static constexpr int64_t kInputBytes = 8;
  static constexpr int64_t kValueBytes = 2;
  static constexpr int kOffset = kBits == 8 ? 0 : 1 << (kBits - 1);
  using Weights = ByteVec;
  struct Sum {
    IntVec high, low;  // of x = 256 high + low, both signed
  };

  template <int kPart>
  TERN_INLINE static Weights load(const std::byte* block) {
    return load_codes<kBits, kPart>(block);
  }
  TERN_INLINE static Sum start(int32_t first) { return {broadcast_int(0), broadcast_int(first)}; }
  TERN_INLINE static void add(Sum& sum, const Weights& w, const std::byte* values) {
    // The bytes that a lane wants, in its order of columns: 0, 2, 1, 3.
    const uint8x16_t of_high = vreinterpretq_u8_u32(vdupq_n_u32(0x07030501u));
    const uint8x16_t of_low = vreinterpretq_u8_u32(vdupq_n_u32(0x06020400u));
    const int16x8_t four = vreinterpretq_s16_u64(
        vld1q_dup_u64(reinterpret_cast<const uint64_t*>(values)));
    const int16x8_t carried = vaddq_s16(four, vdupq_n_s16(128));
    sum.high = dot4(sum.high, w, vqtbl1q_s8(vreinterpretq_s8_s16(carried), of_high));
    sum.low = dot4(sum.low, w, vqtbl1q_s8(vreinterpretq_s8_s16(four), of_low));
  }
  TERN_INLINE static IntVec total(const Sum& sum) {
    IntVec r;
    for (int i = 0; i < 4; ++i)
      r.v[i] = vaddq_s32(sum.low.v[i], vshlq_n_s32(sum.high.v[i], 8));
    return r;
  }
};

template <int kBits, class>
using Int16DotsOf = PlaneDots<kBits>;

/// 16-bit numbers, two neighbouring columns of each lane.
template <int kBits, int kPart>
TERN_INLINE PairVec load_pairs(const std::byte* p) {
  static_assert(kBits == 16);
  const int16_t* numbers = reinterpret_cast<const int16_t*>(p);
  const int16x8x2_t low = vld2q_s16(numbers), high = vld2q_s16(numbers + 16);
  return {{low.val[0], high.val[0]}, {low.val[1], high.val[1]}};
}
/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, PairVec w, const int32_t* x) {
  const int16x4_t xs = vreinterpret_s16_s32(vdup_n_s32(*x));
  for (int i = 0; i < 2; ++i) {
    acc.v[2 * i] = vmlal_lane_s16(acc.v[2 * i], vget_low_s16(w.first[i]), xs, 0);
    acc.v[2 * i] = vmlal_lane_s16(acc.v[2 * i], vget_low_s16(w.second[i]), xs, 1);
    acc.v[2 * i + 1] = vmlal_high_lane_s16(acc.v[2 * i + 1], w.first[i], xs, 0);
    acc.v[2 * i + 1] = vmlal_high_lane_s16(acc.v[2 * i + 1], w.second[i], xs, 1);
  }
  return acc;
}
TERN_INLINE void hide(PairVec& a) {
  asm volatile("" : "+w"(a.first[0]), "+w"(a.first[1]), "+w"(a.second[0]), "+w"(a.second[1]));
}
/// The floats whose exponents are these sixteen bytes.
TERN_INLINE Vec powers_of_two(const std::byte* p) {
  const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const uint8_t*>(p));
  const uint16x8_t halves[2] = {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
  return quarterwise([&](int i) {
    const uint16x8_t half = halves[i / 2];
    const uint32x4_t exponents = vmovl_u16(i % 2 ? vget_high_u16(half) : vget_low_u16(half));
    return vreinterpretq_f32_u32(vshlq_n_u32(exponents, 23));
  });
}

}  // namespace
}  // namespace tern
