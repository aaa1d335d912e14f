// What the weights of a matrix are, wherever they lie.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace tern {

/// What a stored number is.
enum class CodeKind : uint8_t {
  kFloat,   ///< the weight itself, of Encoding::dtype
  kAffine,  ///< an unsigned code c: w = a·c + b, with a and b for each group of columns
};

/// What becomes of the activations before they meet the weights.
enum class InputTransform : uint8_t {
  kNone,
  kGather,  ///< column k of the weights meets column input_order[k] of the activations
};

/// How the weights of a row are written (docs/papers.md, one contract for every format). A source
/// says it of its rows, a packing says which it takes, a view of packed weights keeps it.
struct Encoding {
  CodeKind kind = CodeKind::kFloat;
  DType dtype = DType::kF32;  ///< of floats: f32, bf16 or f16
  int bits = 0;               ///< of a code
  int32_t group = 0;          ///< columns that share a and b, the last group may be short
  bool offset = false;        ///< b is free; else it is -2^(bits - 1) a: the middle code means zero
  int planes = 1;             ///< matrices of codes whose sum is the weight
  InputTransform input = InputTransform::kNone;

  bool is_codes() const { return kind != CodeKind::kFloat; }
  bool operator==(const Encoding&) const = default;

  static constexpr Encoding floats(DType dtype) { return {.dtype = dtype}; }
  static constexpr Encoding affine(int bits, int32_t group, bool offset) {
    return {.kind = CodeKind::kAffine, .bits = bits, .group = group, .offset = offset};
  }
};

}  // namespace tern
