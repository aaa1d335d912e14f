// y += x: the residual connection.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Add {
  static constexpr std::string_view kName = "add";

  struct Args {
    MatView<const float> x;  ///< [tokens, hidden]
    MatView<float> y;        ///< [tokens, hidden]; must not overlap x
  };

  /// Exact: one rounding of the sum.
  static constexpr double kTolerance = 0;
};

void add_ref(const Add::Args& a, const Exec&);

}  // namespace tern
