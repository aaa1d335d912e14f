// The gated activation of an MLP: y = activation(gate) * up.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

enum class Activation : uint8_t {
  kSilu,      ///< v sigmoid(v)
  kGeluTanh,  ///< v (1 + tanh u) / 2 = v sigmoid(2 u), u = sqrt(2 / pi) (v + 0.044715 v³)
};

struct GatedActivation {
  static constexpr std::string_view kName = "gated_activation";

  struct Args {
    MatView<const float> gate;  ///< [tokens, intermediate]
    MatView<const float> up;    ///< [tokens, intermediate]
    Activation activation = Activation::kSilu;
    MatView<float> y;  ///< [tokens, intermediate]; may be gate or up
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.gate);
    v.rows(a.up);
    v.rows(a.y, Access::kWrite);
  }

  /// Largest |y - reference|: per unit of |reference| + 1e-30 for silu, of |gate · up| + 1e-30 for
  /// gelu_tanh. Finite for every finite input.
  static constexpr double kSiluTolerance = 2e-6;
  static constexpr double kGeluTanhTolerance = 4e-7;
};

void gated_activation_ref(const GatedActivation::Args& a, const Exec&);

}  // namespace tern
