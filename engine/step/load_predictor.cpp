#include "engine/step/load_predictor.h"

#include <algorithm>

namespace tern {
namespace {

constexpr double kNewWeight = 0.01;

}  // namespace

LoadPredictor::LoadPredictor(const SchedulerConfig& config) {
  set_limits(config);
}

void LoadPredictor::observe_answer(int32_t completion_tokens) {
  mean_answer_tokens_ += kNewWeight * (completion_tokens - mean_answer_tokens_);
}

Seconds LoadPredictor::prefill_time(int64_t num_prompt_tokens,
                                    const SchedulerStats& scheduler) const {
  // Decodes take one token each of every step, prompts the rest.
  const int32_t room = std::max(max_num_batched_tokens_ - scheduler.num_running, 1);
  const double full_steps = double(num_prompt_tokens) / room;
  if (full_steps >= 1) return full_steps * cost_.predict(max_num_batched_tokens_);
  return cost_.predict(num_prompt_tokens + scheduler.num_running);
}

Seconds LoadPredictor::queue_time(const QueueLoad& queue, const SchedulerStats& scheduler) const {
  const Seconds prompts =
      queue.num_tokens > 0 ? prefill_time(queue.num_tokens, scheduler) : Seconds(0);
  const int32_t running = scheduler.num_running;
  if (running == 0) return prompts;
  const double blocks_each = std::max(double(scheduler.num_used_blocks) / running, 1.0);
  const double places_by_kv =
      (scheduler.num_free_blocks + scheduler.num_cached_blocks) / blocks_each;
  const double places = std::min(double(max_num_seqs_ - running), places_by_kv);
  const double ends_needed = queue.num_requests + 1 - places;
  if (ends_needed <= 0) return prompts;
  const Seconds between_ends = mean_answer_tokens_ * cost_.predict(running) / running;
  return std::max(prompts, Seconds(ends_needed * between_ends));
}

}  // namespace tern
