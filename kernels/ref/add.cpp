#include "kernels/ops/add.h"

namespace tern {

void add_ref(const Add::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t i = 0; i < a.y.cols; ++i)
      a.y.row(t)[i] = float(a.y.row(t)[i] + double(a.scale) * a.x.row(t)[i]);
}

}  // namespace tern
