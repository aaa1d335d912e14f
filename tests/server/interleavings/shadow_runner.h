// The simulated model with memory: it stores a KV for each row where the batch says, and reads it
// back through the block tables; where it has state, it keeps that in slots.
#pragma once

#include <vector>

#include "engine/step/model_runner.h"
#include "scheduler/config.h"
#include "tests/server/interleavings/scenario.h"
#include "tests/server/interleavings/sim_context.h"

namespace tern {

/// Rows of logits that are NaN: of the token `token_id` at `position`.
struct Poison {
  int32_t token_id = -1, position = -1;

  bool hits(int32_t id, int32_t at) const { return id == token_id && at == position; }
};

/// Says what SimContext says of a sequence's tokens, as long as the KV that a row sees is that of
/// these tokens; anything else there gives other answers.
class ShadowRunner final : public ModelRunner {
 public:
  ShadowRunner(const SchedulerConfig& config, const Poison& poison, Scenario& scenario);

  MatView<const float> execute(const StepBatch& batch) override;

 private:
  void run_states(const StepBatch& batch);
  uint64_t& kv_at(const StepBatch& batch, int64_t sequence, int32_t position);
  uint64_t seen_by(const StepBatch& batch, int64_t sequence, int32_t end);

  const int32_t block_size_;
  const size_t max_logits_rows_;
  const Poison poison_;
  Scenario& scenario_;
  std::vector<uint64_t> kv_;          // [blocks * block_size]
  std::vector<uint64_t> states_;      // [slots]
  std::vector<uint64_t> row_states_;  // of the step, behind each row; 0 without state
  std::vector<float> logits_;
};

}  // namespace tern
