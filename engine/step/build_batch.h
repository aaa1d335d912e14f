// From a plan (sequences) to a batch (flat arrays): where scheduling and tensors meet.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/step_batch.h"
#include "scheduler/config.h"
#include "scheduler/step_plan.h"

namespace tern {

/// Owns the arrays of one step's batch; reused, so that a step allocates nothing. Engine thread.
class BatchBuilder {
 public:
  explicit BatchBuilder(const SchedulerConfig& config);

  /// Known tokens and drafts of all sequences of the plan, in its order. The batch is valid until
  /// the next build().
  StepBatch build(const StepPlan& plan);

 private:
  void add(const ScheduledSequence& scheduled);

  const int32_t block_size_;
  const bool has_state_;
  std::vector<int32_t> token_ids_, positions_, visible_end_, cu_seqlens_q_, context_lens_,
      rope_variants_, block_table_, state_slots_, slot_copies_from_, slot_copies_to_, logits_rows_;
  std::vector<int64_t> slot_mapping_;
};

}  // namespace tern
