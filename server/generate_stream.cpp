#include "server/generate_stream.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "base/log.h"
#include "server/wire.h"

namespace tern {
namespace {

constexpr double kMs = 1e3;

// The nearer of the client's deadline and the server's longest request. gRPC's deadline is on the
// wall clock, the engine's is monotonic.
std::optional<TimePoint> deadline_of(const grpc::CallbackServerContext& context,
                                     const RequestLimits& limits) {
  const TimePoint now = std::chrono::steady_clock::now();
  std::optional<TimePoint> deadline;
  if (limits.max_request_duration.count() > 0)
    deadline = now + to_duration(limits.max_request_duration);
  if (context.deadline() == std::chrono::system_clock::time_point::max()) return deadline;
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const TimePoint client = now + std::chrono::duration_cast<Duration>(left);
  return deadline ? std::min(*deadline, client) : client;
}

// What the streaming and the unary call share: admission, cancellation, the end.
class Call {
 public:
  explicit Call(ServingState& state) : state_(state) { ++state_.num_live_calls; }
  ~Call() { --state_.num_live_calls; }
  Call(const Call&) = delete;

  const GenerateCall& request() const { return call_; }
  void cancel() {
    if (id_) engine_->cancel(*id_);
  }

  // From bytes to a queued request; `sink` hears of it from here on, or never where an error
  // returns.
  template <class Message>
  std::optional<ApiError> submit(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer& bytes, std::shared_ptr<TokenSink> sink,
                                 std::optional<ApiError> (&convert)(const Message&, const Engine&,
                                                                    const RequestLimits&,
                                                                    GenerateCall*)) {
    Message message;
    if (auto error = parse_buffer(bytes, &message)) return error;
    if (auto error = state_.check_serving()) return error;
    engine_ = state_.engine();
    if (auto error = convert(message, *engine_, state_.limits, &call_)) return error;
    deadline_ = deadline_of(*context, state_.limits);
    call_.request.deadline = deadline_;
    call_.accepted.set_queue_position(engine_->stats().scheduler.num_waiting);
    context->AddTrailingMetadata("x-request-id", call_.request.request_id);
    Result<uint64_t> id = engine_->submit(std::move(call_.request), std::move(sink));
    if (!id.ok()) return with_context(engine_error(id.status()));
    id_ = *id;
    return {};
  }

  // Notes the end of one of the request's answers, with a line in the log. The call's status where
  // it was the last.
  std::optional<grpc::Status> finish(const TokenEvent& last_event) {
    const FinishedEvent& event = *last_event.finished;
    Status status = event.status;
    // An expired call reaches us as a cancellation: gRPC and the engine watch the same clock.
    if (status.code() == Code::kCancelled && deadline_ &&
        std::chrono::steady_clock::now() >= *deadline_)
      status = {Code::kDeadlineExceeded, "the request's deadline has passed"};
    log(event, last_event.index, status);
    num_completion_tokens_ += event.usage.completion_tokens;
    if (first_failure_.ok()) first_failure_ = status;
    if (++num_finished_ < call_.n) return {};
    if (first_failure_.ok()) return grpc::Status::OK;
    return to_grpc(with_context(engine_error(first_failure_, num_completion_tokens_)));
  }

  const Tokenizer* tokenizer() const { return engine_->tokenizer(); }

 private:
  ApiError with_context(ApiError error) const {
    error.metadata["request_id"] = call_.accepted.request_id();
    error.metadata["model"] = call_.accepted.model();
    return error;
  }

  void log(const FinishedEvent& event, int32_t index, const Status& status) const {
    const Timing& timing = event.timing;
    const int32_t later_tokens = event.usage.completion_tokens - 1;
    const double tpot = later_tokens > 0 ? (timing.e2e - timing.ttft).count() / later_tokens : 0;
    const std::string reason =
        status.ok()
            ? v1::FinishReason_Name(to_wire(event, 0).reason()).substr(14)  // FINISH_REASON_
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

  ServingState& state_;
  Engine* engine_ = nullptr;
  GenerateCall call_;  // its request is moved into the engine
  std::optional<TimePoint> deadline_;
  std::optional<uint64_t> id_;  // once submitted
  // Engine thread only.
  int32_t num_finished_ = 0;
  int32_t num_completion_tokens_ = 0;
  Status first_failure_;
};

// One streaming call. gRPC owns it until OnDone, the engine until its last event; whoever lets go
// last destroys it.
class GenerateStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public TokenSink {
 public:
  explicit GenerateStream(ServingState& state) : call_(std::make_unique<Call>(state)) {}

  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<GenerateStream>& self) {
    self_ = self;
    // Events may come before submit() returns: they wait until Accepted is in front of them.
    const auto error = call_->submit(context, bytes, self, to_call);
    if (error) return Finish(to_grpc(*error));
    std::unique_lock lock(mutex_);
    *pending_.emplace_front().mutable_accepted() = call_->request().accepted;
    busy_ = false;
    advance(lock);
  }

  // Engine thread.
  void on_admitted(int32_t cached_tokens) override {
    std::unique_lock lock(mutex_);
    if (broken_ || !call_->request().want_prefill_progress) return;
    v1::PrefillProgress& progress = *pending_.emplace_back().mutable_prefill_progress();
    progress.set_processed_tokens(cached_tokens);
    progress.set_cached_tokens(cached_tokens);
    progress.set_total_tokens(call_->request().accepted.prompt_tokens());
    advance(lock);
  }

  void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) override {
    std::unique_lock lock(mutex_);
    if (broken_) return;
    v1::PromptLogprobs& out = *pending_.emplace_back().mutable_prompt_logprobs();
    out.set_first(static_cast<uint32_t>(first));
    to_wire(logprobs, call_->tokenizer(), out.mutable_logprobs());
    advance(lock);
  }

  void on_event(TokenEvent event) override {
    std::optional<grpc::Status> status;
    if (event.finished) status = call_->finish(event);
    std::unique_lock lock(mutex_);
    if (!broken_) {
      append(event);
      if (event.finished && event.finished->status.ok())
        *pending_.emplace_back().mutable_finished() = to_wire(*event.finished, event.index);
    }
    status_ = std::move(status);
    advance(lock);
  }

  // gRPC threads.
  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    busy_ = false;
    if (!ok) {  // the client is gone; OnCancel ends the request
      broken_ = true;
      pending_.clear();
    }
    advance(lock);
  }
  void OnCancel() override { call_->cancel(); }
  void OnDone() override {
    call_.reset();
    self_.reset();
  }

 private:
  // Tokens that come while a write is pending join the delta of their answer that waits: a slow
  // client costs a delta an answer, not a queue.
  void append(const TokenEvent& event) {
    const bool shows_text = call_->request().want_text && !event.text.empty();
    if (!shows_text && event.token_ids.empty()) return;
    v1::Delta& delta = waiting_delta(static_cast<uint32_t>(event.index));
    if (shows_text) delta.mutable_text()->append(event.text);
    delta.set_num_tokens(delta.num_tokens() + static_cast<uint32_t>(event.token_ids.size()));
    if (call_->request().want_token_ids)
      delta.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
    to_wire(event.logprobs, call_->tokenizer(), delta.mutable_logprobs());
  }

  v1::Delta& waiting_delta(uint32_t index) {
    for (v1::GenerateEvent& event : pending_)
      if (event.has_delta() && event.delta().index() == index) return *event.mutable_delta();
    v1::Delta& delta = *pending_.emplace_back().mutable_delta();
    delta.set_index(index);
    return delta;
  }

  // The first event that may be written: a delta waits for its interval, and for something to show,
  // unless its answer has ended.
  std::deque<v1::GenerateEvent>::iterator first_writable() {
    return std::find_if(pending_.begin(), pending_.end(), [this](const v1::GenerateEvent& event) {
      return status_ || !event.has_delta() || is_due(event.delta()) ||
             std::any_of(pending_.begin(), pending_.end(), [&](const v1::GenerateEvent& other) {
               return other.has_finished() && other.finished().index() == event.delta().index();
             });
    });
  }

  bool is_due(const v1::Delta& delta) const {
    const GenerateCall& request = call_->request();
    return static_cast<int32_t>(delta.num_tokens()) >= request.stream_interval &&
           (!delta.text().empty() || delta.token_ids_size() > 0 || delta.logprobs_size() > 0 ||
            !request.want_text);
  }

  // gRPC allows one write at a time, and Finish once, after the last write.
  void advance(std::unique_lock<std::mutex>& lock) {
    const auto next = first_writable();
    const bool write = next != pending_.end();
    if (busy_ || (!write && !status_)) return;
    busy_ = true;
    const bool last = status_ && pending_.size() <= 1;
    if (write) {
      buffer_ = to_buffer(*next);
      pending_.erase(next);
    }
    lock.unlock();  // busy_ keeps everyone else away from buffer_ and status_
    if (!write)
      Finish(*status_);
    else if (last)
      StartWriteAndFinish(&buffer_, grpc::WriteOptions(), *status_);
    else
      StartWrite(&buffer_);
  }

  std::unique_ptr<Call> call_;  // until OnDone
  std::shared_ptr<GenerateStream> self_;
  std::mutex mutex_;
  // Guarded by mutex_. While busy_, gRPC reads buffer_, or has been told to finish.
  std::deque<v1::GenerateEvent> pending_;
  grpc::ByteBuffer buffer_;
  std::optional<grpc::Status> status_;  // set by the engine's last event
  bool busy_ = true;                    // until Accepted is queued
  bool broken_ = false;
};

// A call that is answered in one message; owned like GenerateStream.
class UnaryCall : public grpc::ServerUnaryReactor, public TokenSink {
 public:
  UnaryCall(ServingState& state, grpc::ByteBuffer* response)
      : call_(std::make_unique<Call>(state)), response_(response) {}

  template <class Convert>
  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<UnaryCall>& self, Convert& convert) {
    self_ = self;
    if (const auto error = call_->submit(context, bytes, self, convert)) Finish(to_grpc(*error));
  }

  // Engine thread.
  void on_event(TokenEvent event) override {
    add(event);
    if (!event.finished) return;
    const std::optional<grpc::Status> status = call_->finish(event);
    if (!status) return;
    if (status->ok()) *response_ = to_buffer(result());
    Finish(*status);
  }

  // gRPC threads.
  void OnCancel() override { call_->cancel(); }
  void OnDone() override {
    call_.reset();
    self_.reset();
  }

 protected:
  virtual void add(const TokenEvent& event) = 0;
  virtual const google::protobuf::Message& result() = 0;

  const Call& call() const { return *call_; }

 private:
  std::unique_ptr<Call> call_;  // until OnDone
  grpc::ByteBuffer* response_;  // gRPC's, valid until Finish
  std::shared_ptr<UnaryCall> self_;
};

class GenerateUnary final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

  void on_prompt_logprobs(int32_t, std::vector<TokenLogprobs> logprobs) override {
    to_wire(logprobs, call().tokenizer(), result_.mutable_prompt_logprobs());
  }

 private:
  void add(const TokenEvent& event) override {
    const GenerateCall& request = call().request();
    for (int i = result_.outputs_size(); i < request.n; ++i)
      result_.add_outputs()->set_index(static_cast<uint32_t>(i));
    v1::Output& output = *result_.mutable_outputs(event.index);
    if (request.want_text) output.mutable_text()->append(event.text);
    if (request.want_token_ids)
      output.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
    to_wire(event.logprobs, call().tokenizer(), output.mutable_logprobs());
    if (event.finished) *output.mutable_finished() = to_wire(*event.finished, event.index);
  }

  const google::protobuf::Message& result() override {
    *result_.mutable_accepted() = call().request().accepted;
    return result_;
  }

  v1::GenerateResult result_;  // engine thread only
};

class ScoreCall final : public UnaryCall {
 public:
  using UnaryCall::UnaryCall;

  void on_prompt_logprobs(int32_t, std::vector<TokenLogprobs> logprobs) override {
    to_wire(logprobs, call().tokenizer(), result_.mutable_logprobs());
  }

 private:
  void add(const TokenEvent&) override {}

  const google::protobuf::Message& result() override {
    *result_.mutable_token_ids() = call().request().accepted.prompt_token_ids();
    return result_;
  }

  v1::ScoreResult result_;  // engine thread only
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* start_stream(ServingState& state,
                                                         grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<GenerateStream>(state);
  stream->start(context, *request, stream);
  return stream.get();
}

grpc::ServerUnaryReactor* start_unary(ServingState& state, grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto call = std::make_shared<GenerateUnary>(state, response);
  call->start(context, *request, call, to_call);
  return call.get();
}

grpc::ServerUnaryReactor* start_score(ServingState& state, grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto call = std::make_shared<ScoreCall>(state, response);
  call->start(context, *request, call, to_score_call);
  return call.get();
}

}  // namespace tern
