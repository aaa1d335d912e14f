#include "kernels/ops/gather.h"

namespace tern {

void gather_rows_ref(const GatherRows::Args& a, const Exec&) {
  for (int64_t r = 0; r < a.y.rows; ++r) {
    const float* x = a.x.row(a.rows != nullptr ? a.rows[r] : r);
    for (int64_t k = 0; k < a.y.cols; ++k) a.y.row(r)[k] = x[k];
  }
}

void gather_cols_ref(const GatherCols::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t k = 0; k < a.y.cols; ++k) a.y.row(t)[k] = a.x.row(t)[a.cols[k]];
}

}  // namespace tern
