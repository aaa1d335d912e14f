#include "server/generate_stream.h"

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
  std::optional<ApiError> submit(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer& bytes, std::shared_ptr<TokenSink> sink) {
    v1::GenerateRequest message;
    if (auto error = parse_buffer(bytes, &message)) return error;
    if (auto error = state_.check_serving()) return error;
    engine_ = state_.engine();
    if (auto error = to_call(message, *engine_, state_.limits, &call_)) return error;
    deadline_ = deadline_of(*context, state_.limits);
    call_.request.deadline = deadline_;
    call_.accepted.set_queue_position(engine_->stats().scheduler.num_waiting);
    context->AddTrailingMetadata("x-request-id", call_.request.request_id);
    Result<uint64_t> id = engine_->submit(std::move(call_.request), std::move(sink));
    if (!id.ok()) return with_context(engine_error(id.status()));
    id_ = *id;
    return {};
  }

  // The call's status, and its line in the log.
  grpc::Status finish(const FinishedEvent& event) const {
    Status status = event.status;
    // An expired call reaches us as a cancellation: gRPC and the engine watch the same clock.
    if (status.code() == Code::kCancelled && deadline_ &&
        std::chrono::steady_clock::now() >= *deadline_)
      status = {Code::kDeadlineExceeded, "the request's deadline has passed"};
    log(event, status);
    if (status.ok()) return grpc::Status::OK;
    return to_grpc(with_context(engine_error(status, event.usage.completion_tokens)));
  }

 private:
  ApiError with_context(ApiError error) const {
    error.metadata["request_id"] = call_.accepted.request_id();
    error.metadata["model"] = call_.accepted.model();
    return error;
  }

  void log(const FinishedEvent& event, const Status& status) const {
    const Timing& timing = event.timing;
    const int32_t later_tokens = event.usage.completion_tokens - 1;
    const double tpot = later_tokens > 0 ? (timing.e2e - timing.ttft).count() / later_tokens : 0;
    const std::string reason =
        status.ok() ? v1::FinishReason_Name(to_wire(event).reason()).substr(14)  // FINISH_REASON_
                    : engine_error(status, event.usage.completion_tokens).reason;
    spdlog::info(
        "request id={} prompt_tokens={} cached_tokens={} completion_tokens={} queue_ms={:.1f} "
        "ttft_ms={:.1f} tpot_ms={:.2f} e2e_ms={:.1f} preemptions={} reason={}",
        call_.accepted.request_id(), event.usage.prompt_tokens, event.usage.cached_tokens,
        event.usage.completion_tokens, timing.queue.count() * kMs, timing.ttft.count() * kMs,
        tpot * kMs, timing.e2e.count() * kMs, timing.num_preemptions, reason);
    if (status.code() == Code::kInternal)
      spdlog::error("request id={} failed: {}", call_.accepted.request_id(), status.message());
  }

  ServingState& state_;
  Engine* engine_ = nullptr;
  GenerateCall call_;  // its request is moved into the engine
  std::optional<TimePoint> deadline_;
  std::optional<uint64_t> id_;  // once submitted
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
    const auto error = call_->submit(context, bytes, self);
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

  void on_event(TokenEvent event) override {
    std::optional<grpc::Status> status;
    if (event.finished) status = call_->finish(*event.finished);
    std::unique_lock lock(mutex_);
    if (!broken_) {
      append(std::move(event.text), event.token_ids);
      if (event.finished && status->ok())
        *pending_.emplace_back().mutable_finished() = to_wire(*event.finished);
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
  // Tokens that come while a write is pending join the delta that waits: a slow client costs one
  // delta, not a queue.
  void append(std::string text, const std::vector<int32_t>& token_ids) {
    if (!call_->request().want_text) text.clear();
    if (text.empty() && token_ids.empty()) return;
    if (pending_.empty() || !pending_.back().has_delta()) pending_.emplace_back().mutable_delta();
    v1::Delta& delta = *pending_.back().mutable_delta();
    delta.mutable_text()->append(text);
    delta.set_num_tokens(delta.num_tokens() + static_cast<uint32_t>(token_ids.size()));
    if (call_->request().want_token_ids)
      delta.mutable_token_ids()->Add(token_ids.begin(), token_ids.end());
  }

  // A lone delta waits for its interval, or for text to show.
  bool may_write() const {
    if (pending_.empty()) return false;
    if (status_ || pending_.size() > 1 || !pending_.front().has_delta()) return true;
    const v1::Delta& delta = pending_.front().delta();
    const GenerateCall& request = call_->request();
    return static_cast<int32_t>(delta.num_tokens()) >= request.stream_interval &&
           (!delta.text().empty() || delta.token_ids_size() > 0 || !request.want_text);
  }

  // gRPC allows one write at a time, and Finish once, after the last write.
  void advance(std::unique_lock<std::mutex>& lock) {
    const bool write = may_write();
    if (busy_ || (!write && !status_)) return;
    busy_ = true;
    const bool last = status_ && pending_.size() <= 1;
    if (write) {
      buffer_ = to_buffer(pending_.front());
      pending_.pop_front();
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

// One unary call; owned like GenerateStream.
class GenerateUnary final : public grpc::ServerUnaryReactor, public TokenSink {
 public:
  GenerateUnary(ServingState& state, grpc::ByteBuffer* response)
      : call_(std::make_unique<Call>(state)), response_(response) {}

  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<GenerateUnary>& self) {
    self_ = self;
    if (const auto error = call_->submit(context, bytes, self)) Finish(to_grpc(*error));
  }

  // Engine thread.
  void on_event(TokenEvent event) override {
    const GenerateCall& request = call_->request();
    if (request.want_text) output_.mutable_text()->append(event.text);
    if (request.want_token_ids)
      output_.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
    if (!event.finished) return;
    const grpc::Status status = call_->finish(*event.finished);
    if (status.ok()) {
      *output_.mutable_finished() = to_wire(*event.finished);
      v1::GenerateResult result;
      *result.mutable_accepted() = request.accepted;
      *result.add_outputs() = std::move(output_);
      *response_ = to_buffer(result);
    }
    Finish(status);
  }

  // gRPC threads.
  void OnCancel() override { call_->cancel(); }
  void OnDone() override {
    call_.reset();
    self_.reset();
  }

 private:
  std::unique_ptr<Call> call_;  // until OnDone
  grpc::ByteBuffer* response_;  // gRPC's, valid until Finish
  std::shared_ptr<GenerateUnary> self_;
  v1::Output output_;  // engine thread only
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
  call->start(context, *request, call);
  return call.get();
}

}  // namespace tern
