// What an instruction set can do at most: loops that only multiply, or only read. No model's
// operations; `tern bench` measures kernels against them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cpu_info.h"

namespace tern {

/// The multiplications that kernels are made of.
enum class Arithmetic : uint8_t {
  kF32Fma,
  kInt16Dot,  ///< two products of 16 bits a lane: pmaddwd, vpdpwssd, smlal
  kInt8Dot,   ///< four products of 8 bits a lane: vpdpbusd, sdot; pmaddwd where there is none
  kBf16Dot,   ///< two products of bf16 a lane: vdpbf16ps
};
inline constexpr std::string_view kArithmeticNames[] = {"f32_fma", "int16_dot", "int8_dot",
                                                        "bf16_dot"};
constexpr int kNumArithmetics = 4;

/// The loops of one instruction set, for the calling thread alone. Null where it has nothing better
/// than an earlier one.
struct Probe {
  Isa isa = Isa::kScalar;

  /// Multiplies and adds `steps` times in registers, in as many independent chains as the widest
  /// tile of a kernel has. Returns how many operations that were: a product and its addition are
  /// two. out[16] becomes what keeps the compiler from leaving them out. By Arithmetic.
  int64_t (*multiply[kNumArithmetics])(int64_t steps, float* out) = {};

  /// Reads data[0, count), whole vectors one after the other; count is a multiple of
  /// kReadMultiple. out[16] becomes sums of them.
  void (*read)(const float* data, int64_t count, float* out) = nullptr;
  static constexpr int64_t kReadMultiple = 256;
};

}  // namespace tern
