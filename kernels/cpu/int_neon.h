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

constexpr int kMaxIntTileRows = 2;
constexpr int int_tile_vecs(int, int) {
  return 1;
}

/// Here the float accumulators stay in memory for the length of a group.
constexpr int kMaxPairTileRows = 4;
constexpr int pair_tile_vecs(int rows) {
  return rows == 1 ? 2 : 1;
}

/// Codes of 8 bits come as c - 128.
constexpr bool kCenteredBytes = true;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  const int32x4_t v = vdupq_n_s32(x);
  return {{v, v, v, v}};
}
TERN_INLINE ByteVec load_bytes(const std::byte* p) {
  const int8_t* bytes = reinterpret_cast<const int8_t*>(p);
  return {{vld1q_s8(bytes), vld1q_s8(bytes + 16), vld1q_s8(bytes + 32), vld1q_s8(bytes + 48)}};
}
TERN_INLINE ByteVec whole_bytes(ByteVec a) {
  for (int8x16_t& v : a.v) v = veorq_s8(v, vdupq_n_s8(-128));
  return a;
}
TERN_INLINE ByteVec low_halves(ByteVec a) {
  for (int8x16_t& v : a.v) v = vandq_s8(v, vdupq_n_s8(15));
  return a;
}
TERN_INLINE ByteVec high_halves(ByteVec a) {
  for (int8x16_t& v : a.v) v = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(v), 4));
  return a;
}
/// a + 256 b.
TERN_INLINE IntVec add_times_256(IntVec a, IntVec b) {
  for (int i = 0; i < 4; ++i) a.v[i] = vaddq_s32(a.v[i], vshlq_n_s32(b.v[i], 8));
  return a;
}
TERN_INLINE Vec to_floats(IntVec a) {
  return quarterwise([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}

/// acc + the products of each lane's four bytes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, ByteVec codes, const int32_t* x) {
  const int8x16_t xs = vreinterpretq_s8_s32(vdupq_n_s32(*x));
  for (int i = 0; i < 4; ++i) acc.v[i] = vdotq_s32(acc.v[i], codes.v[i], xs);
  return acc;
}

TERN_INLINE PairVec load_pairs(const std::byte* p) {
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
