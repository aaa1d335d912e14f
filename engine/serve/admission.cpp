#include "engine/serve/admission.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tern {
namespace {

// Less would have clients knock at every step, more keeps them away from a queue long empty.
constexpr Seconds kShortestRetry{0.05};
constexpr Seconds kLongestRetry{60};

std::string milliseconds(Seconds s) {
  return std::to_string(std::llround(s.count() * 1e3));
}

Status exhausted(std::string reason, std::string message, int64_t value, int64_t limit,
                 Seconds retry_after) {
  return Status(Code::kResourceExhausted, std::move(message),
                {.reason = std::move(reason),
                 .metadata = {{"value", std::to_string(value)}, {"limit", std::to_string(limit)}},
                 .retry_after = std::clamp(retry_after, kShortestRetry, kLongestRetry)});
}

}  // namespace

Status AdmissionControl::check_deadline(const Request& request, TimePoint now,
                                        const LoadPredictor& predictor,
                                        const SchedulerStats& scheduler) const {
  if (!request.deadline) return {};
  if (*request.deadline <= now)
    return Status(Code::kDeadlineExceeded, "the deadline had passed when the request arrived",
                  {.reason = "QUEUE_TIMEOUT"});
  const Seconds left = *request.deadline - now;
  const Seconds queue = predictor.queue_time(load_, scheduler);
  // What is certain to be computed: the prompt, and the tokens before which it may not end.
  const Seconds work =
      predictor.prefill_time(int64_t(request.prompt_token_ids.size()), scheduler) +
      std::max(request.sampling.min_tokens - 1, 0) * predictor.step_time(scheduler.num_running + 1);
  if (queue + work <= left) return {};
  return Status(
      Code::kResourceExhausted,
      "the deadline cannot be met: " + milliseconds(left) + " ms are left, but the queue takes " +
          milliseconds(queue) + " ms and the request itself at least " + milliseconds(work) + " ms",
      {.reason = "DEADLINE_INFEASIBLE",
       .metadata = {{"left_ms", milliseconds(left)}, {"needed_ms", milliseconds(queue + work)}},
       .retry_after = std::clamp(queue, kShortestRetry, kLongestRetry)});
}

Status AdmissionControl::check_room(PriorityClass priority, int64_t num_tokens,
                                    const QueueLoad& load, Seconds queue_time) const {
  int32_t limit = limits_.max_queued_requests;
  if (priority > PriorityClass::kSystem) limit -= limits_.reserved_queue_system;
  if (priority > PriorityClass::kInteractive) limit -= limits_.reserved_queue_interactive;
  if (load.num_requests >= limit)
    return exhausted("QUEUE_FULL",
                     "queue full: " + std::to_string(load.num_requests) +
                         " requests wait, the limit is " + std::to_string(limit),
                     load.num_requests, limit, queue_time);
  // One request is always let in: a limit below a long prompt must not lock it out for ever.
  const int64_t tokens = load.num_tokens + num_tokens;
  if (load.num_requests > 0 && tokens > limits_.max_queued_tokens)
    return exhausted("QUEUE_TOKENS_FULL",
                     "queue full: " + std::to_string(load.num_tokens) +
                         " prompt tokens wait, the limit is " +
                         std::to_string(limits_.max_queued_tokens),
                     tokens, limits_.max_queued_tokens, queue_time);
  return {};
}

std::optional<uint64_t> AdmissionControl::newest_after(PriorityClass priority) const {
  for (int c = static_cast<int>(by_class_.size()) - 1; c > static_cast<int>(priority); --c)
    if (!by_class_[c].empty()) return *by_class_[c].rbegin();
  return {};
}

AdmissionControl::Decision AdmissionControl::admit(uint64_t id, const Request& request,
                                                   TimePoint now, const LoadPredictor& predictor,
                                                   const SchedulerStats& scheduler) {
  const auto num_tokens = static_cast<int64_t>(request.prompt_token_ids.size());
  Decision decision{.status = check_deadline(request, now, predictor, scheduler)};
  if (!decision.status.ok()) return decision;
  const Seconds queue_time = predictor.queue_time(load_, scheduler);
  decision.status = check_room(request.priority, num_tokens, load_, queue_time);
  if (!decision.status.ok()) {
    const std::optional<uint64_t> victim = newest_after(request.priority);
    if (!victim) return decision;
    QueueLoad without = load_;
    --without.num_requests;
    without.num_tokens -= waiting_.at(*victim).num_tokens;
    if (!check_room(request.priority, num_tokens, without, queue_time).ok()) return decision;
    leave(*victim);
    decision = {.shed = victim};
  }
  waiting_.emplace(id, Waiting{request.priority, num_tokens});
  by_class_[static_cast<size_t>(request.priority)].insert(id);
  ++load_.num_requests;
  load_.num_tokens += num_tokens;
  return decision;
}

void AdmissionControl::leave(uint64_t id) {
  const auto node = waiting_.extract(id);
  if (node.empty()) return;
  by_class_[static_cast<size_t>(node.mapped().priority)].erase(id);
  --load_.num_requests;
  load_.num_tokens -= node.mapped().num_tokens;
}

void AdmissionControl::check_invariants() const {
  int64_t num_tokens = 0;
  for (const auto& [id, waiting] : waiting_) {
    num_tokens += waiting.num_tokens;
    TERN_CHECK(by_class_[static_cast<size_t>(waiting.priority)].contains(id),
               "who waits is in its class");
  }
  size_t num_in_classes = 0;
  for (const std::set<uint64_t>& ids : by_class_) num_in_classes += ids.size();
  TERN_CHECK(num_in_classes == waiting_.size(), "who is in a class waits");
  TERN_CHECK(load_.num_requests == int32_t(waiting_.size()), "waiting requests are counted");
  TERN_CHECK(load_.num_tokens == num_tokens, "waiting tokens are counted");
}

}  // namespace tern
