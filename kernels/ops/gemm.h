// y = x Wᵀ + b: the linear layer, for weights in any format.
#pragma once

#include "base/tensor.h"
#include "kernels/formats/format.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Gemm {
  static constexpr std::string_view kName = "gemm";

  struct Args {
    MatView<const float> x;       ///< [tokens, in]; tokens may be 0
    WeightView w;                 ///< [out, in], packed
    const float* bias = nullptr;  ///< [out], or null
    MatView<float> y;             ///< [tokens, out]; must not overlap x
  };

  /// Largest |y - reference| per unit of sum |x||w| + |bias|. Accumulation is fp32, one chain an
  /// output in the order of `in`: each output's bits depend on its own row of x and of w alone.
  static constexpr double kTolerance = 1e-5;
};

/// Reference: decodes W row by row and sums in double. Slow, and the meaning of the operation.
void gemm_ref(const Gemm::Args& a, const Exec&);

}  // namespace tern
