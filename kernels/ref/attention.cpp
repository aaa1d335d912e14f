#include "kernels/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/formats/kv_panels.h"

namespace tern {
namespace {

/// One query head of a row of sequence `seq` that sees `length` positions.
void attend(const Attention::Args& a, int64_t seq, int64_t row, int64_t head, int64_t length) {
  const int64_t begin = a.window > 0 ? std::max<int64_t>(0, length - a.window) : 0;
  const KvPanels kv = KvPanels::of(a.kv);
  const int64_t kv_head = head / (a.num_heads / kv.num_kv_heads);
  const float* q = a.q.row(row) + head * kv.head_dim;
  const auto slot = [&](int64_t p) {
    return a.block_table.row(seq)[p / kv.block_size] * kv.block_size + p % kv.block_size;
  };

  std::vector<double> weights(length);
  for (int64_t p = begin; p < length; ++p) {
    const float* key = kv.key(slot(p), kv_head);
    for (int64_t d = 0; d < kv.head_dim; ++d) weights[p] += double(q[d]) * key[d * kKvLanes];
    weights[p] *= a.scale;
    if (a.softcap > 0) weights[p] = a.softcap * std::tanh(weights[p] / a.softcap);
  }
  const double highest = *std::max_element(weights.begin() + begin, weights.end());
  double sum = 0;
  for (int64_t p = begin; p < length; ++p) sum += weights[p] = std::exp(weights[p] - highest);

  std::vector<double> y(kv.head_dim);
  for (int64_t p = begin; p < length; ++p)
    for (int64_t d = 0; d < kv.head_dim; ++d) y[d] += weights[p] * kv.value(slot(p), kv_head)[d];
  for (int64_t d = 0; d < kv.head_dim; ++d)
    a.y.row(row)[head * kv.head_dim + d] = static_cast<float>(y[d] / sum);
}

}  // namespace

void attention_ref(const Attention::Args& a, const Exec&) {
  for (int64_t seq = 0; seq < a.num_seqs; ++seq) {
    const int64_t begin = a.cu_seqlens_q[seq], end = a.cu_seqlens_q[seq + 1];
    for (int64_t row = begin; row < end; ++row)
      for (int64_t head = 0; head < a.num_heads; ++head)
        attend(a, seq, row, head, a.visible_end[row]);
  }
}

void kv_write_ref(const KvWrite::Args& a, const Exec&) {
  const KvPanels kv = KvPanels::of(a.kv);
  for (int64_t t = 0; t < a.k.rows; ++t)
    for (int64_t head = 0; head < kv.num_kv_heads; ++head)
      for (int64_t d = 0; d < kv.head_dim; ++d) {
        const int64_t column = head * kv.head_dim + d;
        kv.key(a.slot_mapping[t], head)[d * kKvLanes] = a.k.row(t)[column];
        kv.value(a.slot_mapping[t], head)[d] = a.v.row(t)[column];
      }
}

}  // namespace tern
