#include "engine/model/model.h"

#include "base/math.h"
#include "kernels/registry.h"

namespace tern {
namespace {

/// An array that has a size and no memory.
template <class T>
std::span<const T> nothing(int64_t count) {
  return {reinterpret_cast<const T*>(alignof(std::max_align_t)), size_t(count)};
}

}  // namespace

size_t workspace_bytes(const Model& model, const StepLimits& limits, const Exec& ex) {
  Exec dry = ex;
  dry.log = nullptr;
  dry.dry_run_threads = limits.num_threads;
  const KvFormat& format = choose_kv_format(ex);
  const CacheLayout& layout = model.cache_layout();
  const KvCache kv = KvCache::without_memory(layout, format, format.block_multiple);
  const StateCache states = StateCache::without_memory(layout, 1);
  const int64_t num_blocks = ceil_div(limits.max_context_len, format.block_multiple);
  const auto of_tokens = nothing<int32_t>(limits.max_tokens);
  const StepBatch batch{.token_ids = of_tokens,
                        .positions = of_tokens,
                        .visible_end = of_tokens,
                        .slot_mapping = nothing<int64_t>(limits.max_tokens),
                        .cu_seqlens_q = nothing<int32_t>(2),
                        .context_lens = nothing<int32_t>(1),
                        .rope_variants = of_tokens,
                        .block_table = {nothing<int32_t>(1).data(), 1, num_blocks, num_blocks},
                        .state_slots = nothing<int32_t>(layout.slots.empty() ? 0 : 1),
                        .logits_rows = nothing<int32_t>(limits.max_logits_rows)};
  Workspace ws = Workspace::measuring();
  Step step{.batch = batch, .kv = kv, .states = states, .ws = ws, .ex = dry};
  model.forward(step, {nullptr, limits.max_logits_rows, model.vocab_size(), model.vocab_size()});
  return ws.peak_bytes();
}

}  // namespace tern
