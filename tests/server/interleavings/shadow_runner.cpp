#include "tests/server/interleavings/shadow_runner.h"

#include <algorithm>
#include <limits>

namespace tern {

ShadowRunner::ShadowRunner(const SchedulerConfig& config, const Poison& poison, Scenario& scenario)
    : block_size_(config.block_size),
      max_logits_rows_(std::max(config.max_logits_rows, config.max_num_seqs)),
      poison_(poison),
      scenario_(scenario),
      kv_(size_t(config.num_blocks) * config.block_size, 0),
      states_(config.num_state_slots, 0) {}

// As a layer with a recurrent state does.
void ShadowRunner::run_states(const StepBatch& batch) {
  row_states_.assign(batch.num_tokens(), 0);
  scenario_.expect(batch.state_slots.size() == (states_.empty() ? 0 : size_t(batch.num_seqs())),
                   "each sequence has a slot where there is state");
  for (size_t i = 0; i < batch.slot_copies_from.size(); ++i)
    states_.at(batch.slot_copies_to[i]) = states_.at(batch.slot_copies_from[i]);
  for (size_t s = 0; s < batch.state_slots.size(); ++s) {
    uint64_t& state = states_.at(batch.state_slots[s]);
    const int32_t begin = batch.cu_seqlens_q[s];
    if (batch.positions[begin] == 0) state = 0;
    for (int32_t row = begin; row < batch.cu_seqlens_q[s + 1]; ++row)
      row_states_[row] = state = SimContext::next_state(state, batch.token_ids[row]);
  }
}

uint64_t& ShadowRunner::kv_at(const StepBatch& batch, int64_t sequence, int32_t position) {
  const int32_t block = batch.block_table.row(sequence)[position / block_size_];
  return kv_[size_t(block) * block_size_ + position % block_size_];
}

uint64_t ShadowRunner::seen_by(const StepBatch& batch, int64_t sequence, int32_t end) {
  uint64_t seen = 0;
  for (int32_t p = 0; p < end; ++p) seen += kv_at(batch, sequence, p);
  return seen;
}

MatView<const float> ShadowRunner::execute(const StepBatch& batch) {
  constexpr int32_t kVocab = SimRunner::kVocabSize;
  constexpr SimStepCost kCost;
  ++scenario_.coverage.steps;
  scenario_.clock.advance(kCost.base + kCost.per_token * double(batch.num_tokens()) +
                          kCost.per_sequence * double(batch.num_seqs()));
  scenario_.expect(batch.logits_rows.size() <= max_logits_rows_, "there are rows for all logits");
  run_states(batch);
  logits_.assign(batch.logits_rows.size() * kVocab, 0.0f);
  for (int64_t s = 0; s < batch.num_seqs(); ++s) {
    for (int32_t row = batch.cu_seqlens_q[s]; row < batch.cu_seqlens_q[s + 1]; ++row) {
      const int32_t position = batch.positions[row];
      uint64_t& kv = kv_[batch.slot_mapping[row]];
      scenario_.expect(&kv == &kv_at(batch, s, position), "a row is stored where it is read");
      kv = SimContext::kv(batch.token_ids[row], position, seen_by(batch, s, position));
    }
  }
  // Only now: what one sequence stores where another reads would show.
  int64_t s = 0;
  for (size_t r = 0; r < batch.logits_rows.size(); ++r) {
    const int32_t row = batch.logits_rows[r];
    while (batch.cu_seqlens_q[s + 1] <= row) ++s;
    const int32_t position = batch.positions[row];
    float* const logits = logits_.data() + r * kVocab;
    const uint64_t seen = seen_by(batch, s, batch.visible_end[row]);
    logits[SimContext::next_token(seen ^ row_states_[row], position)] = 100.0f;
    if (poison_.hits(batch.token_ids[row], position))
      logits[0] = std::numeric_limits<float>::quiet_NaN();
  }
  return {logits_.data(), int64_t(batch.logits_rows.size()), kVocab, kVocab};
}

}  // namespace tern
