// Rows and columns brought into another order.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// y[r] = x[rows[r]].
struct GatherRows {
  static constexpr std::string_view kName = "gather_rows";

  struct Args {
    MatView<const float> x;         ///< [tokens, cols]
    const int32_t* rows = nullptr;  ///< [y.rows], each in [0, tokens); null = 0, 1, 2, …
    MatView<float> y;               ///< [y.rows, cols]; must not overlap x; rows may be 0
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.array(a.rows, a.y.rows);
    v.rows(a.y, Access::kWrite);
  }

  /// Exact.
  static constexpr double kTolerance = 0;
};

/// y[t][k] = x[t][cols[k]].
struct GatherCols {
  static constexpr std::string_view kName = "gather_cols";

  struct Args {
    MatView<const float> x;         ///< [tokens, in]; tokens may be 0
    const int32_t* cols = nullptr;  ///< [y.cols], each in [0, in)
    MatView<float> y;               ///< [tokens, y.cols]; must not overlap x
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.array(a.cols, a.y.cols);
    v.rows(a.y, Access::kWrite);
  }

  /// Exact.
  static constexpr double kTolerance = 0;
};

void gather_rows_ref(const GatherRows::Args& a, const Exec&);
void gather_cols_ref(const GatherCols::Args& a, const Exec&);

}  // namespace tern
