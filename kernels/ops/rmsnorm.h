// y = x / sqrt(mean(x²) + eps) * gain, one row a token.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct RmsNorm {
  static constexpr std::string_view kName = "rmsnorm";

  struct Args {
    MatView<const float> x;       ///< [tokens, hidden]; tokens may be 0
    const float* gain = nullptr;  ///< [hidden]
    float eps = 1e-5f;
    MatView<float> y;  ///< [tokens, hidden]; may be x itself
  };

  /// Largest |y - reference| per unit of |reference|.
  static constexpr double kTolerance = 1e-5;
};

void rmsnorm_ref(const RmsNorm::Args& a, const Exec&);

}  // namespace tern
