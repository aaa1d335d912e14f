// y += scale · x: the residual connection.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Add {
  static constexpr std::string_view kName = "add";

  struct Args {
    MatView<const float> x;  ///< [tokens, hidden]
    float scale = 1;
    MatView<float> y;  ///< [tokens, hidden]; must not overlap x
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.rows(a.y, Access::kUpdate);
  }

  /// Largest |y - reference| per unit of |y| + |scale x|; exact where scale is 1.
  static constexpr double kTolerance = 1.2e-7;
};

void add_ref(const Add::Args& a, const Exec&);

}  // namespace tern
