// The events of one stream, between the engine, which never waits, and a client that takes them at
// its own speed.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "server/api/call.h"

namespace tern {

/// Tokens that are not taken join the delta of their answer that waits: a slow client costs a delta
/// an answer, not a queue. Where they are too many, the request pauses until half of them are
/// taken. Whoever owns the queue keeps threads apart.
class EventQueue {
 public:
  /// All must outlive what is called here.
  EventQueue(Call& call, const RequestLimits& limits, StreamCounters& counters)
      : call_(call), limits_(limits), counters_(counters) {}

  /// Call::submit() has succeeded: Accepted goes in front of what has come before it returned.
  /// Until then nothing is to be taken.
  void start();

  // Called with what the engine tells, in its order.
  void add_progress(int32_t cached_tokens);
  void add_prompt_logprobs(int32_t first, const std::vector<TokenLogprobs>& logprobs);
  void add(const TokenEvent& event);

  /// The client is gone: what has come and what will come is thrown away.
  void drop();

  /// The next event to be written, if one is due: a delta waits for its stream_interval, and for
  /// something to show, unless its answer has ended. After the request's last event (`ended`)
  /// everything is due.
  std::optional<v1::GenerateEvent> take(bool ended);

  /// take(false) would give one.
  bool has_due() const;

  bool empty() const { return events_.empty(); }

 private:
  void append(const TokenEvent& event);
  int64_t max_buffered() const;
  v1::Delta& waiting_delta(uint32_t index);
  bool is_due(const v1::GenerateEvent& event) const;

  Call& call_;
  const RequestLimits& limits_;
  StreamCounters& counters_;
  std::deque<v1::GenerateEvent> events_;
  int64_t num_buffered_ = 0;  // tokens in events_
  bool is_started_ = false;
  bool is_paused_ = false;
  bool is_dropped_ = false;
};

}  // namespace tern
