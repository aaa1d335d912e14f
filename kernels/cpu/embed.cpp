// The embedding look-up: rows are read where the file has them, on any instruction set.
#include "kernels/ops/embed.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/cpu/register.h"

namespace tern {

void embed_cpu(const Embed::Args& a, const Exec& ex) {
  constexpr int64_t kTaskElements = 16384;  // ~2 us: several times a hand-over
  const int64_t rows_per_task =
      std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, a.y.cols));
  const int64_t num_tasks = (a.y.rows + rows_per_task - 1) / rows_per_task;
  parallel_for(ex.pool, num_tasks, [&](int64_t task, int) {
    const int64_t end = std::min(a.y.rows, (task + 1) * rows_per_task);
    for (int64_t t = task * rows_per_task; t < end; ++t) {
      float* row = a.y.row(t);
      a.table->read(a.token_ids[t], row);
      if (a.scale == 1) continue;
      for (int64_t i = 0; i < a.y.cols; ++i) row[i] *= a.scale;
    }
  });
}

}  // namespace tern
