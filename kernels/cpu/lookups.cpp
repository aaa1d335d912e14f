// Look-ups: rows and columns that are copied from where they are, by loops that every instruction
// set runs alike.
#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/cpu/register.h"

namespace tern {
namespace {

/// body(row) for every row in [0, rows) of `cols` elements, in tasks that are worth handing over.
template <class Body>
void for_rows(const Exec& ex, int64_t rows, int64_t cols, const Body& body) {
  constexpr int64_t kTaskElements = 16384;  // ~2 us: several times a hand-over
  const int64_t rows_per_task = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, cols));
  parallel_for(ex.pool, (rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    const int64_t end = std::min(rows, (task + 1) * rows_per_task);
    for (int64_t row = task * rows_per_task; row < end; ++row) body(row);
  });
}

}  // namespace

void embed_cpu(const Embed::Args& a, const Exec& ex) {
  for_rows(ex, a.y.rows, a.y.cols, [&](int64_t t) {
    float* row = a.y.row(t);
    a.table.format.packing->unpack_row(a.table, a.token_ids[t], row);
    if (a.scale == 1) return;
    for (int64_t i = 0; i < a.y.cols; ++i) row[i] *= a.scale;
  });
}

void gather_rows_cpu(const GatherRows::Args& a, const Exec& ex) {
  for_rows(ex, a.y.rows, a.y.cols, [&](int64_t r) {
    std::copy_n(a.x.row(a.rows != nullptr ? a.rows[r] : r), a.y.cols, a.y.row(r));
  });
}

void gather_cols_cpu(const GatherCols::Args& a, const Exec& ex) {
  for_rows(ex, a.y.rows, a.y.cols, [&](int64_t t) {
    const float* x = a.x.row(t);
    float* y = a.y.row(t);
    for (int64_t k = 0; k < a.y.cols; ++k) y[k] = x[a.cols[k]];
  });
}

}  // namespace tern
