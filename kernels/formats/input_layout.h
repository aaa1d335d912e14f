// How activations lie in memory for the kernels that multiply them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern {

/// A row of activations as a packing's kernels read it. A new layout is one of these beside its
/// packing and a row in each instruction set's list of QuantizeInput; the reference kernels read
/// and write rows through these functions alone.
struct InputLayout {
  std::string_view name;  ///< "int8"
  /// What kernels that read it add to the name of their packing: "_a8" of "int4_a8".
  std::string_view suffix;
  bool per_group =
      false;  ///< a row depends on the `group` columns that share a scale in the weights

  /// Bytes from row to row.
  int64_t (*row_bytes)(int64_t cols, int32_t group) = nullptr;

  /// Writes all row_bytes() of x[0, cols). Null where kernels read the f32 activations as they are.
  void (*encode_row)(const float* x, int64_t cols, int32_t group, std::byte* row) = nullptr;

  /// The numbers that a row stands for.
  void (*decode_row)(const std::byte* row, int64_t cols, int32_t group, double* x) = nullptr;

  bool is_plain() const { return encode_row == nullptr; }
};

extern const InputLayout kF32Input;    ///< the activations themselves
extern const InputLayout kBf16Input;   ///< rounded to nearest, ties to even
extern const InputLayout kBfp16Input;  ///< bfp16.h
extern const InputLayout kInt16Input;  ///< code_panels.h, IntInput
extern const InputLayout kInt8Input;

}  // namespace tern
