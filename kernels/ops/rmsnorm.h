// y = x / sqrt(mean(x²) + eps) * gain, over a token or over each head of it.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct RmsNorm {
  static constexpr std::string_view kName = "rmsnorm";

  struct Args {
    MatView<const float> x;       ///< [tokens, groups × width], each group apart; tokens may be 0
    const float* gain = nullptr;  ///< [width]
    int64_t width = 0;
    float eps = 1e-5f;
    MatView<float> y;  ///< [tokens, groups × width]; may be x itself
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.array(a.gain, a.width);
    v.rows(a.y, Access::kWrite);
  }

  /// Largest |y - reference| per unit of |reference|.
  static constexpr double kTolerance = 1e-5;
};

void rmsnorm_ref(const RmsNorm::Args& a, const Exec&);

}  // namespace tern
