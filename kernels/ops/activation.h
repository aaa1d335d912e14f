// The gated activation of an MLP: y = silu(gate) * up, silu(v) = v / (1 + e^-v).
#pragma once

#include "base/tensor.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct SiluMul {
  static constexpr std::string_view kName = "silu_mul";

  struct Args {
    MatView<const float> gate;  ///< [tokens, intermediate]
    MatView<const float> up;    ///< [tokens, intermediate]
    MatView<float> y;           ///< [tokens, intermediate]; may be gate or up
  };

  /// Largest |y - reference| per unit of |reference| + 1e-30. Finite for every finite input.
  static constexpr double kTolerance = 2e-6;
};

void silu_mul_ref(const SiluMul::Args& a, const Exec&);

}  // namespace tern
