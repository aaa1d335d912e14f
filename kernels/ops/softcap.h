// x = cap · tanh(x / cap): keeps logits within ±cap.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Softcap {
  static constexpr std::string_view kName = "softcap";

  struct Args {
    float cap = 0;     ///< > 0
    MatView<float> x;  ///< [rows, cols], in place
  };

  static void arrays(Args& a, ArrayVisitor& v) { v.rows(a.x, Access::kUpdate); }

  /// Largest |x - reference| per unit of |reference| + 1e-30.
  static constexpr double kTolerance = 5e-7;
};

void softcap_ref(const Softcap::Args& a, const Exec&);

}  // namespace tern
