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

constexpr int kMaxDotTileRows = 2;
constexpr int dot_tile_vecs(int) {
  return 1;
}

/// Codes of 8 bits come as they are.
constexpr bool kCenteredBytes = false;

/// Codes and int16 are multiplied as 16-bit numbers.
template <int kBits, class Pairs>
using Int16DotsOf = Pairs;

/// dot4() is a step of its own.
constexpr bool kHasByteDot = true;

TERN_INLINE IntVec broadcast_int(int32_t x) {
  IntVec r;
  for (int32_t& lane : r.v) lane = x;
  return r;
}
TERN_INLINE IntVec load_ints(const int32_t* p) {
  IntVec r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
TERN_INLINE Vec to_floats(const IntVec& a) {
  return lanewise([&](int i) { return static_cast<float>(a.v[i]); });
}

/// Part `kPart` of a block of codes, a byte each: of 4 bits the low halves, then the high ones.
template <int kBits, int kPart>
TERN_INLINE ByteVec load_codes(const std::byte* block) {
  ByteVec r;
  __builtin_memcpy(r.v, block, sizeof r.v);
  if (kBits == 4)
    for (uint8_t& byte : r.v) byte = byte >> 4 * kPart & 15;
  return r;
}
/// acc + the products of each lane's four unsigned codes with the four signed bytes at x; exact.
TERN_INLINE IntVec dot4(IntVec acc, const ByteVec& codes, const int32_t* x) {
  const int8_t* bytes = reinterpret_cast<const int8_t*>(x);
  for (int i = 0; i < kLanes; ++i)
    for (int j = 0; j < 4; ++j) acc.v[i] += codes.v[4 * i + j] * bytes[j];
  return acc;
}

/// Part `kPart` of a block of 64 bytes, two neighbouring columns of each lane as 16-bit numbers.
template <int kBits, int kPart>
TERN_INLINE PairVec load_pairs(const std::byte* block) {
  PairVec r;
  __builtin_memcpy(r.v, block, sizeof r.v);
  if (kBits < 16)
    for (int16_t& v : r.v) v = static_cast<int16_t>(uint16_t(v) >> part_shift<kBits>(kPart) & ((1 << kBits) - 1));
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
