#include "engine/step/build_batch.h"

#include <algorithm>

#include "base/check.h"
#include "base/math.h"

namespace tern {

BatchBuilder::BatchBuilder(const SchedulerConfig& config) : block_size_(config.block_size) {
  const size_t tokens = config.max_num_batched_tokens, seqs = config.max_num_seqs;
  token_ids_.reserve(tokens);
  positions_.reserve(tokens);
  slot_mapping_.reserve(tokens);
  logits_rows_.reserve(tokens);
  context_lens_.reserve(seqs);
  rope_variants_.reserve(seqs);
  cu_seqlens_q_.reserve(seqs + 1);
  slices_.reserve(seqs);
  block_table_.reserve(seqs * ceil_div(config.max_model_len, block_size_));
}

StepBatch BatchBuilder::build(const StepPlan& plan, const std::vector<int32_t>& num_logits_rows) {
  slices_.clear();
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const auto [seq, num_tokens] = plan.sequences[i];
    const int32_t begin = seq->num_computed_tokens;
    slices_.push_back({seq, begin, begin + num_tokens, num_logits_rows[i]});
  }
  return build(slices_);
}

StepBatch BatchBuilder::build(std::span<const BatchSlice> slices) {
  token_ids_.clear();
  positions_.clear();
  slot_mapping_.clear();
  logits_rows_.clear();
  context_lens_.clear();
  rope_variants_.clear();
  cu_seqlens_q_.assign(1, 0);
  for (const BatchSlice& slice : slices) add(slice);

  int64_t longest = 0;
  for (const int32_t length : context_lens_)
    longest = std::max<int64_t>(longest, ceil_div(length, block_size_));
  block_table_.assign(slices.size() * longest, 0);
  for (size_t i = 0; i < slices.size(); ++i) {
    const std::vector<int32_t>& blocks = slices[i].sequence->block_table;
    // A reservation may hold blocks that this step does not reach yet.
    const size_t used = std::min<size_t>(blocks.size(), ceil_div(context_lens_[i], block_size_));
    std::copy_n(blocks.begin(), used, block_table_.begin() + i * longest);
  }
  return {.token_ids = token_ids_,
          .positions = positions_,
          .slot_mapping = slot_mapping_,
          .cu_seqlens_q = cu_seqlens_q_,
          .context_lens = context_lens_,
          .rope_variants = rope_variants_,
          .block_table = {block_table_.data(), int64_t(slices.size()), longest, longest},
          .logits_rows = logits_rows_};
}

void BatchBuilder::add(const BatchSlice& slice) {
  const auto [sequence, begin, end, num_logits_rows] = slice;
  const Sequence& seq = *sequence;
  TERN_DCHECK(int64_t(seq.block_table.size()) * block_size_ >= end, "the plan covers its tokens");
  for (int32_t position = begin; position < end; ++position) {
    if (position >= end - num_logits_rows)
      logits_rows_.push_back(static_cast<int32_t>(token_ids_.size()));
    token_ids_.push_back(seq.token_ids[position]);
    positions_.push_back(position);
    slot_mapping_.push_back(int64_t(seq.block_table[position / block_size_]) * block_size_ +
                            position % block_size_);
  }
  context_lens_.push_back(end);
  rope_variants_.push_back(seq.rope_variant);
  cu_seqlens_q_.push_back(static_cast<int32_t>(token_ids_.size()));
}

}  // namespace tern
