// Counter-based random numbers: a pure function of (seed, stream, position), so that a draw does
// not depend on what was drawn before it, on batch mates or on the device.
#pragma once

#include <array>
#include <cstdint>

namespace tern {

/// Philox4x32-10: four 32-bit words from a 128-bit counter and a 64-bit key (Salmon et al.,
/// "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). Integer arithmetic only: equal on every
/// device.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * counter[0];
    const uint64_t p1 = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(p1 >> 32) ^ counter[1] ^ key[0], uint32_t(p1),
               uint32_t(p0 >> 32) ^ counter[3] ^ key[1], uint32_t(p0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// What a draw is for. Draws of different streams at one position are independent.
enum class RngStream : uint32_t { kSample = 0, kSimulation = 1, kTest = 2, kTraining = 3 };

/// 64 uniform bits for (seed, stream, position).
constexpr uint64_t random_bits(uint64_t seed, RngStream stream, uint64_t position) {
  const auto w = philox4x32({uint32_t(position), uint32_t(position >> 32), uint32_t(stream), 0},
                            {uint32_t(seed), uint32_t(seed >> 32)});
  return uint64_t(w[1]) << 32 | w[0];
}

/// Uniform in [0, 1), 53 bits.
constexpr double random_uniform(uint64_t seed, RngStream stream, uint64_t position) {
  return double(random_bits(seed, stream, position) >> 11) * 0x1p-53;
}

}  // namespace tern
