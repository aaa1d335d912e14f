// The events of one request, between the engine, which never waits, and a client that takes them at
// its own speed.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/api/call.h"

namespace tern {

/// The engine has the request: Call::request() has what is told of it.
struct RequestAccepted {};

/// The request has left the queue; so many tokens of its prompt were cached.
struct PrefillStarted {
  int32_t cached_tokens = 0;
};

/// Log-probabilities of the prompt's tokens from position `first` on.
struct PromptTokens {
  int32_t first = 0;
  std::vector<TokenLogprobs> logprobs;
};

/// What is new in one answer.
struct AnswerDelta {
  int32_t index = 0;  ///< which of the request's answers
  std::string text;   ///< empty where the request wants none
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;  ///< of token_ids, where the request wants them
};

/// An answer has ended well, and all its deltas were before this.
struct AnswerFinished {
  int32_t index = 0;
  FinishedEvent event;
};

using StreamEvent =
    std::variant<RequestAccepted, PrefillStarted, PromptTokens, AnswerDelta, AnswerFinished>;

/// Each transport has one for each call, and writes what it takes in its own form. Tokens that are
/// not taken join the delta of their answer that waits: a slow client costs a delta an answer, not
/// a queue. Where they are too many, the request pauses until half of them are taken. Whoever owns
/// the queue keeps threads apart.
class EventQueue {
 public:
  /// All must outlive what is called here.
  EventQueue(Call& call, const RequestLimits& limits, StreamCounters& counters)
      : call_(call), limits_(limits), counters_(counters) {}

  /// Call::submit() has succeeded: from here on a slow client pauses the request. Until then
  /// nothing is to be taken.
  void start() { is_started_ = true; }

  /// start(), and RequestAccepted goes in front of what has come before submit() returned.
  void start_with_accepted();

  // Called with what the engine tells, in its order.
  void add_progress(int32_t cached_tokens);
  void add_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs);
  void add(TokenEvent event);

  /// The client is gone: what has come and what will come is thrown away.
  void drop();

  /// The next event to be written, if one is due: a delta waits for its stream_interval, and for
  /// something to show, unless its answer has ended. After the request's last event (`ended`)
  /// everything is due.
  std::optional<StreamEvent> take(bool ended);

  /// take(false) would give one.
  bool has_due() const;

  bool empty() const { return events_.empty(); }

 private:
  void append(TokenEvent& event);
  int64_t max_buffered() const;
  AnswerDelta& waiting_delta(int32_t index);
  bool is_due(const StreamEvent& event) const;

  Call& call_;
  const RequestLimits& limits_;
  StreamCounters& counters_;
  std::deque<StreamEvent> events_;
  int64_t num_buffered_ = 0;  // tokens in events_
  bool is_started_ = false;
  bool is_paused_ = false;
  bool is_dropped_ = false;
};

}  // namespace tern
