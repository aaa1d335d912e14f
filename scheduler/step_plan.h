// What one step computes, and what came of it.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/sequence.h"

namespace tern {

/// Tokens [num_computed_tokens, num_computed_tokens + num_tokens) of one running sequence; its
/// block_table already covers them.
struct ScheduledSequence {
  Sequence* sequence = nullptr;  ///< valid until the commit() of this plan
  int32_t num_tokens = 0;        ///< >= 1

  /// The chunk reaches the last known token: its logits give the next one.
  bool produces_token() const {
    return sequence->num_computed_tokens + num_tokens == sequence->num_tokens();
  }
};

struct StepPlan {
  std::vector<ScheduledSequence> sequences;  ///< decodes and prefill chunks, in running order
  std::vector<uint64_t> preempted;           ///< ids that lost their blocks to make this plan
  int32_t num_tokens = 0;                    ///< sum over sequences; <= max_num_batched_tokens

  bool empty() const { return sequences.empty(); }
};

/// For one scheduled sequence, in the plan's order.
struct SequenceResult {
  uint64_t id = 0;
  std::vector<int32_t> token_ids;  ///< to append: one where produces_token() and it goes on or ends
                                   ///< with that token; empty for an unfinished prefill
  bool finished = false;           ///< the sequence ends: its blocks return to the pool
};

struct StepResult {
  std::vector<SequenceResult> sequences;
};

}  // namespace tern
