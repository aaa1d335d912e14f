#include "kernels/ops/embed.h"

namespace tern {

void embed_ref(const Embed::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t i = 0; i < a.y.cols; ++i)
      a.y.row(t)[i] = a.scale * float_element(a.table, a.token_ids[t] * a.table.shape[1] + i);
}

}  // namespace tern
