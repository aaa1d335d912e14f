// Stores a step's keys, transposed within groups of kKvLanes positions, and values.

#include "kernels/formats/kv_panels.h"

namespace tern {
namespace {

/// A task has whole heads: keys of neighbouring positions share cache lines, which two threads would
/// take from each other.
void kv_write(const KvWrite::Args& a, const Exec& ex) {
  const KvPanels kv = KvPanels::of(a.kv);
  const int64_t head_dim = kv.head_dim;
  for_rows(ex, kv.num_kv_heads, 4 * a.k.rows * head_dim, [&](int64_t head) {
    for (int64_t t = 0; t < a.k.rows; ++t) {
      const float* k = a.k.row(t) + head * head_dim;
      const float* v = a.v.row(t) + head * head_dim;
      float* key = kv.key(a.slot_mapping[t], head);
      float* value = kv.value(a.slot_mapping[t], head);
      for (int64_t d = 0; d < head_dim; ++d) key[d * kKvLanes] = k[d];
      for (int64_t d = 0; d < head_dim; d += kLanes) {
        const int64_t n = min64(kLanes, head_dim - d);
        store_first(value + d, load_first(v + d, n), n);
      }
    }
  });
}

}  // namespace
}  // namespace tern
