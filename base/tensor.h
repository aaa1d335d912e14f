// Views of memory that someone else owns. Kernels see nothing else.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace tern {

/// Row-major 2-D view; a row is contiguous, rows are `stride` elements apart. A 1-D tensor has one
/// row.
template <class T>
struct MatView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  T* row(int64_t r) const { return data + r * stride; }
};

/// Returns a read-only view of the same memory.
template <class T>
MatView<const T> read_only(MatView<T> m) {
  return {m.data, m.rows, m.cols, m.stride};
}

/// Columns [first, first + cols) of every row of `m`.
template <class T>
MatView<T> columns(MatView<T> m, int64_t first, int64_t cols) {
  return {m.data + first, m.rows, cols, m.stride};
}

/// Dense row-major tensor of a checkpoint: tagged type, rank up to 4. Only at edges: files,
/// loading, tests. Unused dimensions are 1.
struct TensorView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  int rank = 0;
  int64_t shape[4] = {1, 1, 1, 1};

  int64_t num_elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

constexpr bool is_float(DType t) {
  return t == DType::kF32 || t == DType::kBf16 || t == DType::kF16;
}

/// Element i of a tensor of f32, bf16 or f16 (is_float), exact.
inline float float_element(const TensorView& t, int64_t i) {
  if (t.dtype == DType::kBf16) return to_float(static_cast<const Bf16*>(t.data)[i]);
  if (t.dtype == DType::kF16) return to_float(static_cast<const F16*>(t.data)[i]);
  return static_cast<const float*>(t.data)[i];
}

}  // namespace tern
