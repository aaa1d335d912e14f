// When a request that comes now would be served: for admission by deadline, for RetryInfo, for
// routers.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "scheduler/config.h"
#include "scheduler/stats.h"
#include "scheduler/step_cost.h"

namespace tern {

/// Requests that the engine has taken and not yet admitted to the batch.
struct QueueLoad {
  int32_t num_requests = 0;
  int64_t num_tokens = 0;  ///< of their prompts
};

/// Learns from steps and from ends. Predicts with the mean answer of the last hundred requests and
/// the step costs of the last hundred steps; knows nothing before the first step, and then predicts
/// 0. A plain copy; one thread.
class LoadPredictor {
 public:
  explicit LoadPredictor(const SchedulerConfig& config);

  void set_limits(const SchedulerConfig& config) {
    max_num_seqs_ = config.max_num_seqs;
    max_num_batched_tokens_ = config.max_num_batched_tokens;
  }

  void observe_step(int32_t num_tokens, Seconds took) { cost_.observe(num_tokens, took); }
  void observe_answer(int32_t completion_tokens);

  /// How long it takes until a request that comes now leaves the queue: the longer one of computing
  /// the prompts ahead of it and of waiting for a place in the batch and its KV blocks.
  Seconds queue_time(const QueueLoad& queue, const SchedulerStats& scheduler) const;

  /// How long a step of `num_tokens` tokens takes.
  Seconds step_time(int64_t num_tokens) const { return cost_.predict(num_tokens); }

  /// How long it takes from leaving the queue to the first token.
  Seconds prefill_time(int64_t num_prompt_tokens, const SchedulerStats& scheduler) const;

 private:
  int32_t max_num_seqs_ = 0;
  int32_t max_num_batched_tokens_ = 0;
  StepCostModel cost_;
  double mean_answer_tokens_ = 128;
};

}  // namespace tern
