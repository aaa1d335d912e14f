// An engine without a model: the real scheduler and loop, steps that take the time a cost model
// says, tokens that follow from a hash. For tests of everything around the model, and for
// simulation.
#pragma once

#include <functional>

#include "engine/load/model_assets.h"
#include "engine/step/model_runner.h"
#include "engine/step/sim_step_cost.h"

namespace tern {

/// The next token is a function of (token, position), so that an answer does not depend on batch
/// mates or chunks. The vocabulary: 256 bytes (answers are words of lower-case letters) and kEos.
class SimRunner final : public ModelRunner {
 public:
  static constexpr int32_t kEos = 256;
  static constexpr int32_t kVocabSize = 257;

  /// `elapse` lets the step's time pass: sleeps, or advances a ManualClock.
  SimRunner(const SimStepCost& cost, int32_t max_logits_rows, std::function<void(Seconds)> elapse);

  MatView<const float> execute(const StepBatch& batch) override;

  /// What follows `token_id` at `position`.
  static int32_t next_token(int32_t token_id, int32_t position);

 private:
  const SimStepCost cost_;
  const std::function<void(Seconds)> elapse_;
  std::vector<float> logits_;
};

/// One token a byte; kEos is special.
std::unique_ptr<Tokenizer> make_sim_tokenizer();

/// Name, limits and tokenizer of a simulated model with a context of `max_model_len`.
ModelAssets make_sim_assets(int32_t max_model_len);

}  // namespace tern
