// Sixteen integer lanes in four NEON registers, and the dot products of four bytes in each.
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

constexpr int kMaxIntTileRows = 2;
constexpr int int_tile_vecs(int, int) {
  return 1;
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

}  // namespace
}  // namespace tern
