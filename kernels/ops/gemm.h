// y = x Wᵀ + b: the linear layer, for weights in any format.
#pragma once

#include "base/tensor.h"
#include "kernels/formats/packing.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// Activations [rows, cols] as a packing's kernels read them: f32, or what QuantizeInput made of it
/// in the packing's input layout.
struct InputView {
  const std::byte* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  ///< bytes from row to row

  const std::byte* row(int64_t r) const { return data + r * stride; }
};

inline InputView f32_input(MatView<const float> x) {
  return {reinterpret_cast<const std::byte*>(x.data), x.rows, x.cols,
          x.stride * int64_t(sizeof(float))};
}

struct Gemm {
  static constexpr std::string_view kName = "gemm";

  struct Args {
    InputView x;   ///< [tokens, in], as w.format.packing->input says; tokens may be 0
    WeightView w;  ///< [out, in], packed
    const float* bias = nullptr;  ///< [out], or null
    MatView<float> y;             ///< [tokens, out]; must not overlap x
  };

  using Layout = Packing;
  static const Packing* layout(const Args& a) { return a.w.format.packing; }

  static void arrays(Args& a, ArrayVisitor& v) {
    v.array(a.x.data, a.x.rows * a.x.stride);
    v.weights(a.w);
    v.array(a.bias, a.w.rows);
    v.rows(a.y, Access::kWrite);
  }

  /// Largest |y - reference| per unit of sum |x||w| + |bias|, where |w| of a format with offsets
  /// counts |a c| + |b|. Accumulation is fp32, one chain an output in the order of `in`, of columns
  /// (dense formats) or of groups, whose integer sums are exact: each output's bits depend on its
  /// own row of x and of w alone.
  static constexpr double kTolerance = 1e-5;
};

/// Reference: decodes W row by row and sums in double. Slow, and the meaning of the operation.
void gemm_ref(const Gemm::Args& a, const Exec&);

}  // namespace tern
