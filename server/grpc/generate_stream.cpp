#include "server/grpc/generate_stream.h"

#include <memory>

#include "base/mutex.h"
#include "server/api/event_queue.h"
#include "server/grpc/wire.h"

namespace tern {
namespace {

// gRPC's deadline is on the wall clock, the engine's is monotonic.
std::optional<TimePoint> deadline_of(const grpc::CallbackServerContext& context) {
  if (context.deadline() == std::chrono::system_clock::time_point::max()) return {};
  const auto left = context.deadline() - std::chrono::system_clock::now();
  return std::chrono::steady_clock::now() + std::chrono::duration_cast<Duration>(left);
}

// "ipv4:1.2.3.4:5", "ipv6:%5B::1%5D:5" or "unix:…", as HTTP's lines have it.
std::string peer_of(const grpc::CallbackServerContext& context) {
  std::string peer = context.peer();
  if (peer.starts_with("unix:")) return "unix";
  if (peer.starts_with("ipv4:") || peer.starts_with("ipv6:")) peer.erase(0, 5);
  for (const auto& [escape, character] : {std::pair("%5B", "["), std::pair("%5D", "]")})
    if (const size_t at = peer.find(escape); at != peer.npos) peer.replace(at, 3, character);
  return peer;
}

Caller caller_of(const grpc::CallbackServerContext& context) {
  Caller caller{.peer = peer_of(context)};
  const auto [begin, end] = context.client_metadata().equal_range("traceparent");
  if (begin != end && std::next(begin) == end)
    caller.traceparent = valid_traceparent({begin->second.data(), begin->second.size()});
  return caller;
}

// Makes a queued request of bytes, see Call::submit.
template <class Message>
std::optional<ApiError> submit(Call& call, ServingState& state,
                               grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
                               std::shared_ptr<TokenSink> sink,
                               std::optional<ApiError> (&convert)(const Message&, const Engine&,
                                                                  const RequestLimits&,
                                                                  GenerateCall*)) {
  Message message;
  const auto bound = [&](const Engine& engine, GenerateCall* out) {
    return convert(message, engine, state.limits, out);
  };
  auto error = parse_buffer(bytes, &message);
  error = error ? call.refuse(*std::move(error))
                : call.submit(bound, deadline_of(*context), std::move(sink));
  const std::string& request_id = call.request().accepted.request_id();
  if (error)
    state.refusals.write(*error,
                         {.caller = call.caller(),
                          .id = request_id.empty() ? call.request().request.request_id : request_id,
                          .transport = "grpc"},
                         state.clock.now());
  if (!request_id.empty()) context->AddTrailingMetadata("x-request-id", request_id);
  return error;
}

// Writes what an EventQueue gives as messages of tern.v1.
class EventWriter {
 public:
  explicit EventWriter(const Call& call) : call_(call) {}

  v1::GenerateEvent write(const StreamEvent& event) const {
    v1::GenerateEvent out;
    std::visit([&](const auto& one) { write(one, &out); }, event);
    return out;
  }

 private:
  void write(const RequestAccepted&, v1::GenerateEvent* out) const {
    *out->mutable_accepted() = call_.request().accepted;
  }

  void write(const PrefillStarted& event, v1::GenerateEvent* out) const {
    v1::PrefillProgress& progress = *out->mutable_prefill_progress();
    progress.set_processed_tokens(event.cached_tokens);
    progress.set_cached_tokens(event.cached_tokens);
    progress.set_total_tokens(call_.request().accepted.prompt_tokens());
  }

  void write(const PromptTokens& event, v1::GenerateEvent* out) const {
    v1::PromptLogprobs& prompt = *out->mutable_prompt_logprobs();
    prompt.set_first(static_cast<uint32_t>(event.first));
    to_wire(event.logprobs, call_.tokenizer(), prompt.mutable_logprobs());
  }

  void write(const AnswerDelta& event, v1::GenerateEvent* out) const {
    v1::Delta& delta = *out->mutable_delta();
    delta.set_index(static_cast<uint32_t>(event.index));
    if (!event.text.empty()) delta.set_text(event.text);
    delta.set_num_tokens(static_cast<uint32_t>(event.token_ids.size()));
    if (call_.request().want_token_ids)
      delta.mutable_token_ids()->Add(event.token_ids.begin(), event.token_ids.end());
    to_wire(event.logprobs, call_.tokenizer(), delta.mutable_logprobs());
  }

  void write(const AnswerFinished& event, v1::GenerateEvent* out) const {
    *out->mutable_finished() = to_wire(event.event, event.index);
  }

  const Call& call_;
};

grpc::Status to_grpc(const std::optional<ApiError>& error) {
  return error ? to_grpc(*error) : grpc::Status::OK;
}

// One streaming call. gRPC owns it until OnDone, the engine until its last event; whoever lets go
// last destroys it.
class GenerateStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                             public TokenSink,
                             public Sender::Source {
 public:
  GenerateStream(ServingState& state, Sender& sender, const grpc::CallbackServerContext& context)
      : state_(state),
        sender_(sender),
        call_(std::make_unique<Call>(state, Transport::kGrpc, caller_of(context))),
        queue_(*call_, state.limits, state.streams) {}

  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<GenerateStream>& self) {
    self_ = self;
    // Events may come before submit() returns: they wait until Accepted is in front of them.
    const auto error = submit(*call_, state_, context, bytes, self, to_call);
    if (error) return Finish(to_grpc(*error));
    MutexLock lock(mutex_);
    queue_.start_with_accepted();
    busy_ = false;
    advance(lock);
  }

  // Engine thread.
  void on_admitted(int32_t cached_tokens) override {
    MutexLock lock(mutex_);
    queue_.add_progress(cached_tokens);
    post(lock);
  }

  void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) override {
    MutexLock lock(mutex_);
    queue_.add_prompt_logprobs(first, std::move(logprobs));
    post(lock);
  }

  void on_event(TokenEvent event) override {
    std::optional<grpc::Status> status;
    if (event.finished && call_->finish(event)) status = to_grpc(call_->error());
    MutexLock lock(mutex_);
    queue_.add(std::move(event));
    status_ = std::move(status);
    post(lock, std::exchange(is_first_, false));
  }

  // A thread of the sender, or the engine's.
  void send() override {
    MutexLock lock(mutex_);
    posted_ = false;
    advance(lock);
  }

  // gRPC threads.
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    busy_ = false;
    if (!ok) queue_.drop();  // the client is gone; OnCancel ends the request
    advance(lock);
  }
  void OnCancel() override { call_->cancel(); }
  void OnDone() override {
    call_.reset();
    self_.reset();
  }

 private:
  // While busy_, the end of the write goes on. Lets go of `lock`, which the checker does not see.
  void post(MutexLock& lock, bool is_urgent = false) TERN_REQUIRES(mutex_) TERN_UNCHECKED {
    if (busy_ || posted_ || !(status_ || queue_.has_due())) return;
    posted_ = true;
    std::shared_ptr<GenerateStream> self = self_;  // there until busy_ and done
    lock.unlock();
    is_urgent ? sender_.send_or_post(std::move(self)) : sender_.post(std::move(self));
  }

  // gRPC allows one write at a time, and Finish once, after the last write. Lets go of `lock`, as
  // post() does.
  void advance(MutexLock& lock) TERN_REQUIRES(mutex_) TERN_UNCHECKED {
    if (busy_) return;
    const std::optional<StreamEvent> next = queue_.take(status_.has_value());
    if (!next && !status_) return;
    busy_ = true;
    const bool last = status_ && queue_.empty();
    if (next) buffer_ = to_buffer(EventWriter(*call_).write(*next));
    lock.unlock();  // busy_ keeps everyone else away from buffer_ and status_
    if (!next)
      Finish(*status_);
    else if (last)
      StartWriteAndFinish(&buffer_, grpc::WriteOptions(), *status_);
    else
      StartWrite(&buffer_);
  }

  ServingState& state_;
  Sender& sender_;
  std::unique_ptr<Call> call_;  // until OnDone
  std::shared_ptr<GenerateStream> self_;
  Mutex mutex_;
  // While busy_, gRPC reads buffer_, or has been told to finish.
  EventQueue queue_ TERN_GUARDED_BY(mutex_);
  grpc::ByteBuffer buffer_ TERN_GUARDED_BY(mutex_);
  std::optional<grpc::Status> status_ TERN_GUARDED_BY(mutex_);  // set by the engine's last event
  bool busy_ TERN_GUARDED_BY(mutex_) = true;                    // until Accepted is queued
  bool posted_ TERN_GUARDED_BY(mutex_) = false;                 // send() follows
  bool is_first_ = true;  // no token has come yet; engine thread only
};

// A call that is answered in one message; owned like GenerateStream.
class UnaryCall : public grpc::ServerUnaryReactor, public TokenSink, public Sender::Source {
 public:
  UnaryCall(ServingState& state, Sender& sender, const grpc::CallbackServerContext& context,
            grpc::ByteBuffer* response)
      : state_(state),
        sender_(sender),
        call_(std::make_unique<Call>(state, Transport::kGrpc, caller_of(context))),
        response_(response) {}

  template <class Convert>
  void start(grpc::CallbackServerContext* context, const grpc::ByteBuffer& bytes,
             const std::shared_ptr<UnaryCall>& self, Convert& convert) {
    self_ = self;
    if (const auto error = submit(*call_, state_, context, bytes, self, convert))
      Finish(to_grpc(*error));
  }

  // Engine thread.
  void on_event(TokenEvent event) override {
    add(event);
    if (event.finished && call_->finish(event)) sender_.post(self_);
  }

  // A thread of the sender, after the last event.
  void send() override {
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
  ServingState& state_;
  Sender& sender_;
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

  v1::GenerateResult result_;  // the engine thread's, then the sender's
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

  v1::ScoreResult result_;  // the engine thread's, then the sender's
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* start_stream(ServingState& state, Sender& sender,
                                                         grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) {
  auto stream = std::make_shared<GenerateStream>(state, sender, *context);
  stream->start(context, *request, stream);
  return stream.get();
}

grpc::ServerUnaryReactor* start_unary(ServingState& state, Sender& sender,
                                      grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto call = std::make_shared<GenerateUnary>(state, sender, *context, response);
  call->start(context, *request, call, to_call);
  return call.get();
}

grpc::ServerUnaryReactor* start_score(ServingState& state, Sender& sender,
                                      grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto call = std::make_shared<ScoreCall>(state, sender, *context, response);
  call->start(context, *request, call, to_score_call);
  return call.get();
}

}  // namespace tern
