#include "server/api/call.h"

#include <algorithm>

#include "base/log.h"
#include "base/log_event.h"
#include "base/utf8.h"
#include "base/utf8_char.h"

namespace tern {
namespace {

constexpr double kMs = 1e3;
constexpr Seconds kMaxMargin{0.02};

// When the engine is to end the request: a little before the client's own clock ends the call, so
// that the error with its details and the usage still arrives. gRPC rounds a deadline up by as much
// as 1 % on its way.
std::optional<TimePoint> engine_deadline(const std::optional<TimePoint>& client,
                                         const RequestLimits& limits, TimePoint now) {
  std::optional<TimePoint> deadline;
  if (limits.max_request_duration.count() > 0)
    deadline = now + to_duration(limits.max_request_duration);
  if (!client) return deadline;
  const Seconds left = *client - now;
  const Seconds margin = std::min(0.1 * left, kMaxMargin) + 0.01 * left;
  const TimePoint early = left.count() > 0 ? *client - to_duration(margin) : *client;
  return deadline ? std::min(*deadline, early) : early;
}

// The first characters of a prompt.
std::string start_of(std::span<const int32_t> token_ids, const Tokenizer* tokenizer) {
  constexpr size_t kMostChars = 200;
  if (!tokenizer) return "";
  std::string text;
  for (const int32_t id : token_ids) {
    text += tokenizer->token_bytes(id);
    if (text.size() > 4 * kMostChars) break;
  }
  text = sanitize_utf8(text);
  text.resize(char_offset(text, kMostChars));
  return text;
}

}  // namespace

ApiError Call::refuse(ApiError error) {
  record_.code = error.code;
  record_.reason = error.reason;
  // As in the log and the response.
  if (!caller_.trace_id.empty())
    record_.request_id = caller_.trace_id;
  else if (record_.request_id.empty())
    record_.request_id = call_.request.request_id;
  report(state_.clock.now());
  error.is_reported = true;
  return error;
}

std::optional<ApiError> Call::submit(const ConvertFn& convert,
                                     const std::optional<TimePoint>& client_deadline,
                                     std::shared_ptr<TokenSink> sink) {
  auto error = admit(convert, client_deadline, std::move(sink));
  if (error) error = refuse(*std::move(error));
  return error;
}

std::optional<ApiError> Call::admit(const ConvertFn& convert,
                                    const std::optional<TimePoint>& client_deadline,
                                    std::shared_ptr<TokenSink> sink) {
  if (auto error = state_.check_serving()) return error;
  engine_ = state_.engine();
  if (auto error = convert(*engine_, &call_)) return error;
  deadline_ = engine_deadline(client_deadline, state_.limits, state_.clock.now());
  call_.request.peer = caller_.peer;
  call_.request.arrival = arrival_;
  call_.request.deadline = deadline_;
  call_.accepted.set_queue_position(engine_->stats().scheduler.num_waiting);
  note_request();
  const Result<uint64_t> id = submit_to_engine(std::move(sink));
  if (!id.ok()) return with_context(engine_error(id.status()));
  id_ = *id;
  return {};
}

Result<uint64_t> Call::submit_to_engine(std::shared_ptr<TokenSink> sink) {
  constexpr size_t kSuffix = 9;
  if (!caller_.shares_id) return engine_->submit(std::move(call_.request), std::move(sink));
  Request again = call_.request;
  Result<uint64_t> id = engine_->submit(std::move(call_.request), sink);
  if (id.status().code() != Code::kAlreadyExists) return id;
  const std::string unique = uuid_v7();
  again.request_id += "-" + unique.substr(unique.size() - kSuffix);
  call_.accepted.set_request_id(again.request_id);
  record_.request_id = again.request_id;
  return engine_->submit(std::move(again), std::move(sink));
}

void Call::cancel() {
  if (!id_) return;
  TimePoint::rep not_yet = 0;
  cancelled_at_.compare_exchange_strong(not_yet, state_.clock.now().time_since_epoch().count());
  engine_->cancel(*id_);
}

void Call::pause() {
  ++state_.streams.num_pauses;
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
  if (status.code() == Code::kCancelled && deadline_ && state_.clock.now() >= *deadline_)
    status = {Code::kDeadlineExceeded, "the request's deadline has passed"};
  log(event, last_event.index, status);
  note_answer(event);
  if (first_failure_.ok()) first_failure_ = status;
  if (++num_finished_ < call_.n) return false;
  if (!first_failure_.ok())
    error_ = with_context(engine_error(first_failure_, record_.completion_tokens));
  report(state_.clock.now());
  if (!error_) return true;
  error_->metadata["prompt_tokens"] = std::to_string(event.usage.prompt_tokens);
  error_->metadata["completion_tokens"] = std::to_string(record_.completion_tokens);
  return true;
}

// This is called before the engine has the request, as its thread reads what is noted here.
void Call::note_request() {
  const Request& request = call_.request;
  record_.request_id = request.request_id;
  record_.priority = request.priority;
  record_.n = call_.n;
  record_.max_tokens = request.sampling.max_tokens;
  record_.prompt_tokens = static_cast<int32_t>(request.prompt_token_ids.size());
  if (state_.log_prompts) prompt_start_ = start_of(request.prompt_token_ids, tokenizer());
}

void Call::note_answer(const FinishedEvent& event) {
  const Timing& timing = event.timing;
  RequestRecord& r = record_;
  const bool is_first = num_finished_ == 0;
  r.completion_tokens += event.usage.completion_tokens;
  r.cached_tokens =
      is_first ? event.usage.cached_tokens : std::min(r.cached_tokens, event.usage.cached_tokens);
  r.num_preemptions += timing.num_preemptions;
  r.num_recomputed_tokens += timing.num_recomputed_tokens;
  r.queue = is_first ? timing.queue : std::min(r.queue, timing.queue);
  r.e2e = std::max(r.e2e, timing.e2e);
  if (is_first) r.finish = event.reason;
  if (r.finish != event.reason) r.finish.reset();
  if (event.usage.completion_tokens == 0) return;
  r.ttft = std::min(r.ttft.value_or(timing.ttft), timing.ttft);
  decode_time_ += timing.e2e - timing.ttft;
  num_gaps_ += event.usage.completion_tokens - 1;
}

// The request is over: `error_` or a refusal says how.
void Call::report(TimePoint now) {
  RequestRecord& r = record_;
  r.accepted = num_finished_ > 0;
  if (!r.accepted) return state_.report(r);
  if (error_) {
    r.code = error_->code;
    r.reason = error_->reason;
    r.finish.reset();
  }
  if (num_gaps_ > 0) r.tpot = decode_time_ / num_gaps_;
  if (const TimePoint::rep at = cancelled_at_; at != 0 && r.code == Code::kCancelled)
    r.cancel_to_end = now - TimePoint(Duration(at));
  state_.report(r);
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
  LogEvent line("request");
  line.text("id", call_.accepted.request_id());
  if (call_.n > 1) line.number("index", int64_t{index});
  line.text("class", priority_class_name(record_.priority))
      .text("transport", transport_name(record_.transport))
      .number("prompt_tokens", int64_t{event.usage.prompt_tokens})
      .number("cached_tokens", int64_t{event.usage.cached_tokens})
      .number("completion_tokens", int64_t{event.usage.completion_tokens})
      .number("queue_ms", timing.queue.count() * kMs, 1)
      .number("ttft_ms", timing.ttft.count() * kMs, 1)
      .number("tpot_ms", tpot * kMs, 2)
      .number("e2e_ms", timing.e2e.count() * kMs, 1)
      .number("preemptions", int64_t{timing.num_preemptions})
      .text("reason", reason)
      .text("peer", caller_.peer)
      .text_if_any("traceparent", caller_.traceparent)
      .text_if_any("prompt", prompt_start_)
      .info();
  if (status.code() == Code::kInternal)
    spdlog::error("request id={} failed: {}", call_.accepted.request_id(), status.message());
}

}  // namespace tern
