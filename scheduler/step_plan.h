// What one step computes, and what came of it.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/sequence.h"

namespace tern {

/// Rows at positions [num_computed_tokens, num_computed_tokens + num_tokens) of one running
/// sequence; its block_table already covers them.
struct ScheduledSequence {
  Sequence* sequence = nullptr;  ///< valid until the commit() of this plan
  int32_t num_tokens = 0;        ///< rows, drafts included; at least one is a known token
  int32_t num_draft = 0;         ///< the last of them: Demand::draft_token_ids from its begin on
  int32_t num_outputs = 0;       ///< how many of the last rows give logits

  /// The chunk reaches the last known token: a token can follow from its logits.
  bool produces_token() const {
    return sequence->num_computed_tokens + num_tokens - num_draft == sequence->num_tokens();
  }
};

/// The state in slot `from` is also that in slot `to`.
struct SlotCopy {
  int32_t from = kNoSlot, to = kNoSlot;
};

struct StepPlan {
  std::vector<ScheduledSequence> sequences;  ///< decodes and prefill chunks, in running order
  std::vector<uint64_t> preempted;           ///< ids that lost their blocks to make this plan
  std::vector<SlotCopy> slot_copies;         ///< to be done before the step, in this order
  int32_t num_tokens = 0;                    ///< sum over sequences; <= max_num_batched_tokens
  int32_t num_outputs = 0;                   ///< sum over sequences; <= max_logits_rows

  bool empty() const { return sequences.empty(); }
};

/// For one scheduled sequence, in the plan's order.
struct SequenceResult {
  uint64_t id = 0;

  /// How many of the scheduled rows stay computed, from the first on: all known tokens, as a rule,
  /// and the drafts that were right. Their KV may be published in the prefix cache; that of the
  /// other rows is dead, and is overwritten when their positions are computed again.
  int32_t num_kept = 0;

  /// To append to the sequence, any number; none where it does not produces_token(). They begin
  /// with the drafts that stay. A sequence that goes on has a known token that is not computed.
  std::vector<int32_t> token_ids;

  bool finished = false;  ///< the sequence ends: its blocks return to the pool
};

struct StepResult {
  std::vector<SequenceResult> sequences;
};

}  // namespace tern
