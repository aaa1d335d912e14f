#include "kernels/ops/embed.h"

namespace tern {

void embed_ref(const Embed::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t) {
    float* row = a.y.row(t);
    a.table.format.packing->unpack_row(a.table, a.token_ids[t], row);
    for (int64_t i = 0; i < a.y.cols; ++i) row[i] *= a.scale;
  }
}

}  // namespace tern
