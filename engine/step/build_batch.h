// From a plan (sequences) to a batch (flat arrays): where scheduling and tensors meet.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/step_batch.h"
#include "scheduler/config.h"
#include "scheduler/step_plan.h"

namespace tern {

/// Tokens [begin, end) of a sequence.
struct BatchSlice {
  const Sequence* sequence = nullptr;
  int32_t begin = 0, end = 0;
  int32_t num_logits_rows = 0;  ///< how many of the last rows give logits
};

/// Owns the arrays of one step's batch; reused, so that a step allocates nothing. Engine thread.
class BatchBuilder {
 public:
  explicit BatchBuilder(const SchedulerConfig& config);

  /// `num_logits_rows`[i]: how many of the last rows of plan.sequences[i] give logits. The batch is
  /// valid until the next build().
  StepBatch build(const StepPlan& plan, const std::vector<int32_t>& num_logits_rows);

  /// The same of slices of different sequences, whose block tables cover them.
  StepBatch build(std::span<const BatchSlice> slices);

 private:
  void add(const BatchSlice& slice);

  const int32_t block_size_;
  std::vector<BatchSlice> slices_;
  std::vector<int32_t> token_ids_, positions_, cu_seqlens_q_, context_lens_, rope_variants_,
      block_table_, logits_rows_;
  std::vector<int64_t> slot_mapping_;
};

}  // namespace tern
