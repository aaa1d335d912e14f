// Cuts a step into passes, so that no pass asks for more rows of logits than a runner holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/step/build_batch.h"
#include "scheduler/config.h"
#include "scheduler/step_plan.h"

namespace tern {

/// A runner gives up to max_num_seqs rows a call: one for each sequence. A prompt whose own
/// log-probabilities are wanted needs a row for each of its tokens; then a step takes several
/// passes, which changes no bit of what comes out. Reused, so that a step allocates nothing. Engine
/// thread.
class StepPasses {
 public:
  explicit StepPasses(const SchedulerConfig& config);

  /// `first_logits_positions`[i]: the logits of plan.sequences[i] are wanted from this position on
  /// to the end of its tokens (or beyond it: none). `plan` must outlive the passes.
  void start(const StepPlan& plan, std::span<const int32_t> first_logits_positions);

  /// Goes on to the next pass; false where all tokens have been in one.
  bool next();

  /// Of the pass: slices, and the indices of their sequences in the plan.
  std::span<const BatchSlice> slices() const { return slices_; }
  std::span<const int32_t> plan_indices() const { return plan_indices_; }

 private:
  struct Rest {
    const Sequence* sequence;
    int32_t begin, end;
    int32_t first_logits_position;
  };

  const int32_t max_rows_;
  std::vector<Rest> rests_;  // by plan index: what has not been in a pass yet
  std::vector<BatchSlice> slices_;
  std::vector<int32_t> plan_indices_;
};

}  // namespace tern
