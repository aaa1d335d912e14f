// One request between its admission and its end, whatever transport carries it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "server/api/caller.h"
#include "server/api/serving_state.h"

namespace tern {

/// Fills in what is to be submitted, or says why not: to_call() or to_score_call() with a message
/// bound.
using ConvertFn = std::function<std::optional<ApiError>(const Engine&, GenerateCall*)>;

/// Made by a transport for each call, and counted as live until it is destroyed. submit() once, on
/// the transport's thread; cancel(), pause() and
/// resume() from any thread after it; finish() on the engine's thread.
class Call {
 public:
  Call(ServingState& state, Transport transport, Caller caller = {})
      : state_(state), caller_(std::move(caller)) {
    record_.transport = transport;
    ++state_.num_calls_created;
  }
  ~Call() { ++state_.num_calls_released; }
  Call(const Call&) = delete;

  /// Admission: the phase, every field, the queue. `client_deadline` is the client's own; the
  /// nearer of it and the server's longest request holds. `sink` hears of the request from here on,
  /// or never where an error returns.
  std::optional<ApiError> submit(const ConvertFn& convert,
                                 const std::optional<TimePoint>& client_deadline,
                                 std::shared_ptr<TokenSink> sink);

  /// Notes that the request could not even be read: `error`, for submit() will not be called. It
  /// comes back as reported.
  ApiError refuse(ApiError error);

  const Caller& caller() const { return caller_; }

  /// What was submitted, less the engine's own part of it.
  const GenerateCall& request() const { return call_; }
  const Tokenizer* tokenizer() const { return engine_->tokenizer(); }

  /// The client wants no more. Nothing to do where submit() has failed.
  void cancel();

  /// The client does not keep up, or does again; after submit() has succeeded.
  void pause();
  void resume();

  /// Notes the end of one of the request's answers, with a line in the log. True where it was the
  /// last: then error() tells how the request ended.
  bool finish(const TokenEvent& last_event);
  const std::optional<ApiError>& error() const { return error_; }

 private:
  std::optional<ApiError> admit(const ConvertFn& convert,
                                const std::optional<TimePoint>& client_deadline,
                                std::shared_ptr<TokenSink> sink);
  void note_request();
  void note_answer(const FinishedEvent& event);
  void report(TimePoint now);
  ApiError with_context(ApiError error) const;
  void log(const FinishedEvent& event, int32_t index, const Status& status) const;

  /// Where the id may change, it does if a live request has it.
  Result<uint64_t> submit_to_engine(std::shared_ptr<TokenSink> sink);

  ServingState& state_;
  const Caller caller_;
  const TimePoint arrival_ = state_.clock.now();
  Engine* engine_ = nullptr;
  GenerateCall call_;  // its request is moved into the engine
  std::optional<TimePoint> deadline_;
  std::optional<uint64_t> id_;                   // once submitted
  std::string prompt_start_;                     // for the log, where that may show it
  std::atomic<TimePoint::rep> cancelled_at_{0};  // 0 = not
  RequestRecord record_;  // of the transport's thread until submit(), of the engine's then
  // Engine thread only.
  int32_t num_finished_ = 0;
  Seconds decode_time_{0};  // of all answers
  int32_t num_gaps_ = 0;    // between their tokens
  Status first_failure_;
  std::optional<ApiError> error_;
};

}  // namespace tern
