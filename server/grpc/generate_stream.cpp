#include "server/grpc/generate_stream.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "server/api/call.h"
#include "server/grpc/wire.h"

namespace tern {
namespace {

// gRPC's deadline is on the wall clock, the engine's is monotonic.
std::optional<TimePoint> deadline_of(const grpc::CallbackServerContext& context) {
  if (context.deadline() == std::chrono::system_clock::time_point::max()) return {};
  const auto left = context.deadline() - std::chrono::system_clock::now();
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<Duration>(left);
}

// From bytes to a queued request, see Call::submit.
template <class Message>
std::optional<ApiError> submit(Call& call, const RequestLimits& limits,
                               grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
                               std::shared_ptr<TokenSink> sink,
                               std::optional<ApiError> (&convert)(const Message&, const Engine&,
                                                                  const RequestLimits&,
                                                                  GenerateCall*)) {
  Message message;
  if (auto error = parse_buffer(bytes, &message)) return call.refuse(*std::move(error));
  const auto bound = [&](const Engine& engine, GenerateCall* out) {
    return convert(message, engine, limits, out);
  };
  auto error = call.submit(bound, deadline_of(*context), std::move(sink));
  const std::string& request_id = call.request().accepted.request_id();
  if (!request_id.empty()) context->AddTrailingMetadata("x-request-id", request_id);
  return error;
}

grpc::Status to_grpc(const std::optional<ApiError>& error) {
  return error ? to_grpc(*error) : grpc::Status::OK;
}

// One streaming call. gRPC owns it until OnDone, the engine until its last event; whoever lets go
// last destroys it.
class GenerateStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public TokenSink {
 public:
  explicit GenerateStream(ServingState& state)
      : limits_(state.limits),
        counters_(state.streams),
        call_(std::make_unique<Call>(state, Transport::kGrpc)) {}

  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<GenerateStream>& self) {
    self_ = self;
    // Events may come before submit() returns: they wait until Accepted is in front of them.
    const auto error = submit(*call_, limits_, context, bytes, self, to_call);
    if (error) return Finish(to_grpc(*error));
    std::unique_lock lock(mutex_);
    *pending_.emplace_front().mutable_accepted() = call_->request().accepted;
    busy_ = false;
    is_started_ = true;
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
    if (event.finished && call_->finish(event)) status = to_grpc(call_->error());
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
  // client costs a delta an answer, not a queue. Where they are too many, the request pauses.
  void append(const TokenEvent& event) {
    const bool shows_text = call_->request().want_text && !event.text.empty();
    if (!shows_text && event.token_ids.empty()) return;
    v1::Delta& delta = waiting_delta(static_cast<uint32_t>(event.index));
    if (shows_text) delta.mutable_text()->append(event.text);
    delta.set_num_tokens(delta.num_tokens() + static_cast<uint32_t>(event.token_ids.size()));
    if (call_->request().want_token_ids)
      delta.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
    to_wire(event.logprobs, call_->tokenizer(), delta.mutable_logprobs());
    num_buffered_ += static_cast<int64_t>(event.token_ids.size());
    if (is_started_ && !is_paused_ && num_buffered_ > max_buffered()) {
      is_paused_ = true;
      call_->pause();
    }
  }

  // What waits for its stream_interval waits for no reader.
  int64_t max_buffered() const {
    const GenerateCall& request = call_->request();
    return std::max<int64_t>(limits_.max_buffered_tokens,
                             int64_t{2} * request.stream_interval * request.n);
  }

  v1::Delta& waiting_delta(uint32_t index) {
    for (v1::GenerateEvent& event : pending_)
      if (event.has_delta() && event.delta().index() == index) {
        counters_.num_coalesced.fetch_add(1, std::memory_order_relaxed);
        return *event.mutable_delta();
      }
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
      num_buffered_ -= next->delta().num_tokens();
      pending_.erase(next);
      if (is_paused_ && num_buffered_ <= max_buffered() / 2) {
        is_paused_ = false;
        call_->resume();
      }
    }
    lock.unlock();  // busy_ keeps everyone else away from buffer_ and status_
    if (!write)
      Finish(*status_);
    else if (last)
      StartWriteAndFinish(&buffer_, grpc::WriteOptions(), *status_);
    else
      StartWrite(&buffer_);
  }

  const RequestLimits& limits_;
  StreamCounters& counters_;
  std::unique_ptr<Call> call_;  // until OnDone
  std::shared_ptr<GenerateStream> self_;
  std::mutex mutex_;
  // Guarded by mutex_. While busy_, gRPC reads buffer_, or has been told to finish.
  std::deque<v1::GenerateEvent> pending_;
  grpc::ByteBuffer buffer_;
  std::optional<grpc::Status> status_;  // set by the engine's last event
  int64_t num_buffered_ = 0;            // tokens in pending_
  bool busy_ = true;                    // until Accepted is queued
  bool is_started_ = false;             // submit() has returned
  bool is_paused_ = false;
  bool broken_ = false;
};

// A call that is answered in one message; owned like GenerateStream.
class UnaryCall : public grpc::ServerUnaryReactor, public TokenSink {
 public:
  UnaryCall(ServingState& state, grpc::ByteBuffer* response)
      : limits_(state.limits),
        call_(std::make_unique<Call>(state, Transport::kGrpc)),
        response_(response) {}

  template <class Convert>
  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<UnaryCall>& self, Convert& convert) {
    self_ = self;
    if (const auto error = submit(*call_, limits_, context, bytes, self, convert))
      Finish(to_grpc(*error));
  }

  // Engine thread.
  void on_event(TokenEvent event) override {
    add(event);
    if (!event.finished || !call_->finish(event)) return;
    if (!call_->error()) *response_ = to_buffer(result());
    Finish(to_grpc(call_->error()));
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
  const RequestLimits& limits_;
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
