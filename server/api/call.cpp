#include "server/api/call.h"

#include <algorithm>

#include "base/log.h"

namespace tern {
namespace {

constexpr double kMs = 1e3;
constexpr Seconds kMaxMargin{0.02};

// When the engine is to end the request: a little before the client's own clock ends the call, so
// that the error with its details and the usage still arrives. gRPC rounds a deadline up by as much
// as 1 % on its way.
std::optional<TimePoint> engine_deadline(const std::optional<TimePoint>& client,
                                         const RequestLimits& limits) {
  const TimePoint now = std::chrono::steady_clock::now();
  std::optional<TimePoint> deadline;
  if (limits.max_request_duration.count() > 0)
    deadline = now + to_duration(limits.max_request_duration);
  if (!client) return deadline;
  const Seconds left = *client - now;
  const Seconds margin = std::min(0.1 * left, kMaxMargin) + 0.01 * left;
  const TimePoint early = left.count() > 0 ? *client - to_duration(margin) : *client;
  return deadline ? std::min(*deadline, early) : early;
}

}  // namespace

std::optional<ApiError> Call::submit(const ConvertFn& convert,
                                     const std::optional<TimePoint>& client_deadline,
                                     std::shared_ptr<TokenSink> sink) {
  if (auto error = state_.check_serving()) return error;
  engine_ = state_.engine();
  if (auto error = convert(*engine_, &call_)) return error;
  deadline_ = engine_deadline(client_deadline, state_.limits);
  call_.request.deadline = deadline_;
  call_.accepted.set_queue_position(engine_->stats().scheduler.num_waiting);
  Result<uint64_t> id = engine_->submit(std::move(call_.request), std::move(sink));
  if (!id.ok()) return with_context(engine_error(id.status()));
  id_ = *id;
  return {};
}

void Call::cancel() {
  if (id_) engine_->cancel(*id_);
}

void Call::pause() {
  engine_->pause(*id_, state_.limits.max_reader_pause);
}

void Call::resume() {
  engine_->resume(*id_);
}

bool Call::finish(const TokenEvent& last_event) {
  const FinishedEvent& event = *last_event.finished;
  Status status = event.status;
  // An expired call reaches us as a cancellation: the transport and the engine watch the same
  // clock.
  if (status.code() == Code::kCancelled && deadline_ &&
      std::chrono::steady_clock::now() >= *deadline_)
    status = {Code::kDeadlineExceeded, "the request's deadline has passed"};
  log(event, last_event.index, status);
  num_completion_tokens_ += event.usage.completion_tokens;
  if (first_failure_.ok()) first_failure_ = status;
  if (++num_finished_ < call_.n) return false;
  if (first_failure_.ok()) return true;
  error_ = with_context(engine_error(first_failure_, num_completion_tokens_));
  error_->metadata["prompt_tokens"] = std::to_string(event.usage.prompt_tokens);
  error_->metadata["completion_tokens"] = std::to_string(num_completion_tokens_);
  return true;
}

ApiError Call::with_context(ApiError error) const {
  error.metadata["request_id"] = call_.accepted.request_id();
  error.metadata["model"] = call_.accepted.model();
  return error;
}

void Call::log(const FinishedEvent& event, int32_t index, const Status& status) const {
  const Timing& timing = event.timing;
  const int32_t later_tokens = event.usage.completion_tokens - 1;
  const double tpot = later_tokens > 0 ? (timing.e2e - timing.ttft).count() / later_tokens : 0;
  const std::string reason =
      status.ok() ? v1::FinishReason_Name(to_wire(event, 0).reason()).substr(14)  // FINISH_REASON_
                  : engine_error(status, event.usage.completion_tokens).reason;
  spdlog::info(
      "request id={}{} prompt_tokens={} cached_tokens={} completion_tokens={} queue_ms={:.1f} "
      "ttft_ms={:.1f} tpot_ms={:.2f} e2e_ms={:.1f} preemptions={} reason={}",
      call_.accepted.request_id(), call_.n > 1 ? fmt::format(" index={}", index) : "",
      event.usage.prompt_tokens, event.usage.cached_tokens, event.usage.completion_tokens,
      timing.queue.count() * kMs, timing.ttft.count() * kMs, tpot * kMs, timing.e2e.count() * kMs,
      timing.num_preemptions, reason);
  if (status.code() == Code::kInternal)
    spdlog::error("request id={} failed: {}", call_.accepted.request_id(), status.message());
}

}  // namespace tern
