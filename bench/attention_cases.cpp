// Attention over stored keys and values, and the write that puts them there.
#include <algorithm>
#include <cmath>

#include "base/math.h"
#include "bench/kernel_cases.h"
#include "bench/memory.h"
#include "kernels/formats/kv_panels.h"

namespace tern {
namespace {

constexpr int64_t kHeads = 32, kKvHeads = 8, kHeadDim = 64, kBlockSize = 16;

KvLayerView random_layer(CaseMemory& memory, int64_t num_blocks, int64_t kv_heads,
                         int64_t head_dim) {
  KvLayerView kv{.format = &kKvPanels,
                 .num_blocks = num_blocks,
                 .block_size = kBlockSize,
                 .num_kv_heads = kv_heads,
                 .head_dim = head_dim};
  const int64_t floats = kv.bytes() / int64_t(sizeof(float));
  kv.keys = reinterpret_cast<std::byte*>(memory.random(floats));
  kv.values = reinterpret_cast<std::byte*>(memory.random(floats));
  return kv;
}

/// Positions that the rows of one sequence see, all together.
double positions_seen(int64_t rows, int64_t context) {
  return double(rows) * (double(context) - double(rows - 1) / 2);
}

/// What lay in the cache before the step comes from memory, for a model has read all its weights
/// and layers since: then each of `args` has sequences of its own. A prompt's own keys were just
/// written.
Result<Case<Attention>> make_attention(const Format*, const Shape& s, CaseContext& context) {
  const int64_t seqs = s[0], rows = s[1], length = s[2];
  const int64_t seq_blocks = ceil_div(length, kBlockSize);
  const int64_t kv_bytes = seqs * seq_blocks * kBlockSize * kKvHeads * kHeadDim * 2 * 4;
  const int64_t copies =
      rows == length ? 1 : std::max<int64_t>(1, ceil_div(int64_t(context.cold_bytes), kv_bytes));
  auto memory = std::make_shared<CaseMemory>();
  Attention::Args a{.q = read_only(memory->random(seqs * rows, kHeads * kHeadDim)),
                    .kv = random_layer(*memory, copies * seqs * seq_blocks, kKvHeads, kHeadDim),
                    .num_heads = kHeads,
                    .scale = 1 / std::sqrt(float(kHeadDim)),
                    .num_seqs = seqs};
  a.y = memory->random(seqs * rows, kHeads * kHeadDim);
  int32_t* cu_seqlens = memory->take<int32_t>(seqs + 1);
  int32_t* visible_end = memory->take<int32_t>(seqs * rows);
  int32_t* blocks = memory->take<int32_t>(copies * seqs * seq_blocks);
  TERN_TRY(memory->status());
  for (int64_t i = 0; i <= seqs; ++i) cu_seqlens[i] = int32_t(i * rows);
  for (int64_t i = 0; i < seqs * rows; ++i)
    visible_end[i] = int32_t(length - rows + i % rows + 1);  // causal
  for (int64_t i = 0; i < copies * seqs * seq_blocks; ++i) blocks[i] = int32_t(i);
  a.cu_seqlens_q = cu_seqlens;
  a.visible_end = visible_end;
  Case<Attention> c;
  for (int64_t i = 0; i < copies; ++i) {
    a.block_table = {blocks + i * seqs * seq_blocks, seqs, seq_blocks, seq_blocks};
    c.args.push_back(a);
  }
  const double q_and_y = 2.0 * double(seqs * rows * kHeads * kHeadDim) * 4;
  c.work.bytes = double(seqs * length * kKvHeads * kHeadDim) * 2 * 4 + q_and_y;
  c.work.flops = 4.0 * double(seqs) * positions_seen(rows, length) * double(kHeads * kHeadDim);
  c.work.footprint = size_t(copies * kv_bytes) + size_t(q_and_y);
  c.memory = std::move(memory);
  return c;
}

Status check_attention(const Shape& s) {
  return s[1] <= s[2] ? Status() : invalid_argument("Q, rows of a sequence, are part of C");
}

Result<Case<KvWrite>> make_kv_write(const Format*, const Shape& s, CaseContext&) {
  const int64_t tokens = s[0], cols = s[1] * s[2];
  auto memory = std::make_shared<CaseMemory>();
  KvWrite::Args a{.k = read_only(memory->random(tokens, cols)),
                  .v = read_only(memory->random(tokens, cols)),
                  .kv = random_layer(*memory, ceil_div(tokens, kBlockSize), s[1], s[2])};
  int64_t* slots = memory->take<int64_t>(tokens);
  TERN_TRY(memory->status());
  for (int64_t t = 0; t < tokens; ++t) slots[t] = t;
  a.slot_mapping = slots;
  Case<KvWrite> c;
  c.args = {a};
  c.work.bytes = 4.0 * double(tokens * cols) * 4;
  c.work.footprint = size_t(c.work.bytes);
  c.memory = std::move(memory);
  return c;
}

}  // namespace

Cases<Attention> cases_of(const KernelTable<Attention>&) {
  return {.shape = "BxQxC",
          .default_shapes = {{1, 1, 512}, {16, 1, 512}, {1, 256, 256}},
          .make = make_attention,
          .check = check_attention};
}
Cases<KvWrite> cases_of(const KernelTable<KvWrite>&) {
  return {.shape = "MxHxD",
          .default_shapes = {{1, 8, 64}, {16, 8, 64}, {128, 8, 64}},
          .make = make_kv_write};
}

}  // namespace tern
