#include "engine/step/build_batch.h"

#include <algorithm>

#include "base/check.h"
#include "base/math.h"

namespace tern {

BatchBuilder::BatchBuilder(const SchedulerConfig& config)
    : block_size_(config.block_size), has_state_(config.num_state_slots > 0) {
  const size_t tokens = config.max_num_batched_tokens, seqs = config.max_num_seqs;
  token_ids_.reserve(tokens);
  positions_.reserve(tokens);
  visible_end_.reserve(tokens);
  slot_mapping_.reserve(tokens);
  logits_rows_.reserve(tokens);
  context_lens_.reserve(seqs);
  rope_variants_.reserve(tokens);
  cu_seqlens_q_.reserve(seqs + 1);
  state_slots_.reserve(has_state_ ? seqs : 0);
  slot_copies_from_.reserve(has_state_ ? 3 * seqs : 0);
  slot_copies_to_.reserve(has_state_ ? 3 * seqs : 0);
  block_table_.reserve(seqs * ceil_div(config.max_model_len, block_size_));
}

StepBatch BatchBuilder::build(const StepPlan& plan) {
  token_ids_.clear();
  positions_.clear();
  visible_end_.clear();
  slot_mapping_.clear();
  logits_rows_.clear();
  context_lens_.clear();
  rope_variants_.clear();
  cu_seqlens_q_.assign(1, 0);
  state_slots_.clear();
  slot_copies_from_.clear();
  slot_copies_to_.clear();
  for (const auto& [from, to] : plan.slot_copies) {
    slot_copies_from_.push_back(from);
    slot_copies_to_.push_back(to);
  }
  for (const ScheduledSequence& scheduled : plan.sequences) add(scheduled);

  const size_t num_seqs = plan.sequences.size();
  int64_t longest = 0;
  for (const int32_t length : context_lens_)
    longest = std::max<int64_t>(longest, ceil_div(length, block_size_));
  block_table_.assign(num_seqs * longest, 0);
  for (size_t i = 0; i < num_seqs; ++i) {
    const std::vector<int32_t>& blocks = plan.sequences[i].sequence->block_table;
    // A reservation may hold blocks that this step does not reach yet.
    const size_t used = std::min<size_t>(blocks.size(), ceil_div(context_lens_[i], block_size_));
    std::copy_n(blocks.begin(), used, block_table_.begin() + i * longest);
  }
  return {.token_ids = token_ids_,
          .positions = positions_,
          .visible_end = visible_end_,
          .slot_mapping = slot_mapping_,
          .cu_seqlens_q = cu_seqlens_q_,
          .context_lens = context_lens_,
          .rope_variants = rope_variants_,
          .block_table = {block_table_.data(), int64_t(num_seqs), longest, longest},
          .state_slots = state_slots_,
          .slot_copies_from = slot_copies_from_,
          .slot_copies_to = slot_copies_to_,
          .logits_rows = logits_rows_};
}

void BatchBuilder::add(const ScheduledSequence& scheduled) {
  const Sequence& seq = *scheduled.sequence;
  const int32_t begin = seq.num_computed_tokens;
  const int32_t end = begin + scheduled.num_tokens;
  TERN_DCHECK(int64_t(seq.block_table.size()) * block_size_ >= end, "the plan covers its tokens");
  for (int32_t position = begin; position < end; ++position) {
    if (position >= end - scheduled.num_outputs)
      logits_rows_.push_back(static_cast<int32_t>(token_ids_.size()));
    token_ids_.push_back(seq.token_at(position));
    positions_.push_back(position);
    visible_end_.push_back(position + 1);
    rope_variants_.push_back(seq.rope_variant);
    slot_mapping_.push_back(int64_t(seq.block_table[position / block_size_]) * block_size_ +
                            position % block_size_);
  }
  context_lens_.push_back(end);
  if (has_state_) state_slots_.push_back(seq.state_slot);
  cu_seqlens_q_.push_back(static_cast<int32_t>(token_ids_.size()));
}

}  // namespace tern
