// Sixteen integer lanes in plain C++, and the dot products of four bytes or two 16-bit numbers
// in each.
#pragma once

#include "kernels/cpu/vec_scalar.h"

namespace tern {
namespace {

struct IntVec {
  int32_t v[kLanes];
};
struct ByteVec {
  uint8_t v[4 * kLanes];
};

struct PairVec {
  int16_t v[2 * kLanes];
};

constexpr int kMaxIntTileRows = 2;
constexpr int int_tile_vecs(int, int) {
  return 1;
}

constexpr int kMaxPairTileRows = 2;
constexpr int pair_tile_vecs(int) {
  return 1;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  IntVec r;
  for (int32_t& lane : r.v) lane = x;
  return r;
}
TERN_INLINE ByteVec load_bytes(const std::byte* p) {
  ByteVec r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
TERN_INLINE ByteVec whole_bytes(ByteVec a) {
  return a;
}
TERN_INLINE ByteVec low_halves(ByteVec a) {
  for (uint8_t& byte : a.v) byte &= 15;
  return a;
}
TERN_INLINE ByteVec high_halves(ByteVec a) {
  for (uint8_t& byte : a.v) byte >>= 4;
  return a;
}
/// a + 256 b.
TERN_INLINE IntVec add_times_256(IntVec a, const IntVec& b) {
  for (int i = 0; i < kLanes; ++i) a.v[i] += b.v[i] * 256;
  return a;
}
TERN_INLINE Vec to_floats(const IntVec& a) {
  return lanewise([&](int i) { return static_cast<float>(a.v[i]); });
}

/// acc + the products of each lane's four unsigned codes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, const ByteVec& codes, const int32_t* x) {
  const int8_t* bytes = reinterpret_cast<const int8_t*>(x);
  for (int i = 0; i < kLanes; ++i)
    for (int j = 0; j < 4; ++j) acc.v[i] += codes.v[4 * i + j] * bytes[j];
  return acc;
}

TERN_INLINE PairVec load_pairs(const std::byte* p) {
  PairVec r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
/// acc + the products of each lane's two numbers with the two at x; exact.
TERN_INLINE IntVec dot2(IntVec acc, const PairVec& w, const int32_t* x) {
  const int16_t* two = reinterpret_cast<const int16_t*>(x);
  for (int i = 0; i < kLanes; ++i) acc.v[i] += w.v[2 * i] * two[0] + w.v[2 * i + 1] * two[1];
  return acc;
}
/// The floats whose exponents are these sixteen bytes.
TERN_INLINE Vec powers_of_two(const std::byte* p) {
  return lanewise([&](int i) { return __builtin_bit_cast(float, uint32_t(p[i]) << 23); });
}

}  // namespace
}  // namespace tern
