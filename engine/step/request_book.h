// The requests that live in the loop: their answers, deadlines and pauses have one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/decode/decode_strategy.h"
#include "engine/step/request.h"
#include "engine/step/token_sink.h"
#include "scheduler/sequence.h"

namespace tern {

/// A request on its way from Engine::submit() to the loop. Its answers have the ids id … id + n
/// - 1.
struct Submission {
  uint64_t id = 0;
  Request request;
  std::shared_ptr<TokenSink> sink;
  TimePoint arrival;
};

/// A request between add() and the end of its last answer.
struct LiveRequest {
  Submission submission;
  const DecodeStrategy* strategy = nullptr;
  bool is_dequeued = false;
  /// Answers but the first are not with the scheduler yet: they wait until the first has put the
  /// prompt into the prefix cache.
  bool holds_answers = false;

  // Kept by the book.
  int32_t num_live = 0;  ///< answers that have not ended
  std::optional<TimePoint> paused_until;

  int32_t num_answers() const { return submission.request.sampling.n; }
};

/// One of a request's answers between add() and its terminal event.
struct LiveAnswer {
  uint64_t id = 0;
  LiveRequest* request = nullptr;  ///< outlives its answers
  int32_t index = 0;
  DecodeState decode;
  Sequence* sequence = nullptr;  ///< the scheduler's, once it has it
  int32_t num_outputs = 1;       ///< of the sequence's demand, what its strategy has asked for
  int32_t num_requested = 0;  ///< prompt tokens whose log-probabilities the step computes
  int32_t num_reported = 0;   ///< prompt tokens whose log-probabilities the sink has, where wanted
  bool is_admitted = false;
  TimePoint admitted_at;
  std::optional<TimePoint> first_token_at, last_sent_at;  ///< when the sink had them
  Usage usage;

  TokenSink& sink() const { return *request->submission.sink; }
  bool reports_prompt() const {
    return decode.params.prompt_logprobs && num_reported < usage.prompt_tokens;
  }
};

/// One thread. What it gives stays where it is until it is taken out.
class RequestBook {
 public:
  /// A new request, whose deadline is watched from here on. All its answers must be added before
  /// anything else is asked of the book.
  LiveRequest& add(Submission submission);
  LiveAnswer& add_answer(LiveRequest& request, int32_t index);

  /// Null where the request, or the answer, has ended or was never there.
  LiveRequest* find(uint64_t request_id) const;
  LiveAnswer* find_answer(uint64_t answer_id) const;

  /// An answer that is there.
  LiveAnswer& answer(uint64_t answer_id) const { return *answers_.at(answer_id); }

  /// Takes an answer out. Where it was the request's last (num_live is 0), neither its deadline nor
  /// its pause is watched any more; the request itself stays until erase().
  std::unique_ptr<LiveAnswer> close_answer(uint64_t answer_id);
  void erase(LiveRequest& request);

  /// `request` is paused until then. It must not be paused yet.
  void pause(LiveRequest& request, TimePoint until);
  /// `request`, which is paused, goes on.
  void resume(LiveRequest& request);

  /// The request with the nearest deadline, if that is not after `until`; else null.
  LiveRequest* first_deadline(TimePoint until) const { return first_of(deadlines_, until); }
  /// The request whose pause ends first, if not after `until`; else null.
  LiveRequest* first_pause_end(TimePoint until) const { return first_of(pauses_, until); }
  bool watches_deadlines() const { return !deadlines_.empty(); }

  /// In the order in which the requests came.
  std::vector<uint64_t> request_ids() const;

  bool empty() const { return requests_.empty(); }
  size_t size() const { return requests_.size(); }

  /// Answers that the scheduler should have: all but those that are held.
  size_t num_scheduled_answers() const;

  /// Aborts the process where its lists disagree. For tests.
  void check_invariants() const;

 private:
  using Watched = std::set<std::pair<TimePoint, uint64_t>>;  // by time; ids of requests

  LiveRequest* first_of(const Watched& watched, TimePoint until) const;

  std::unordered_map<uint64_t, std::unique_ptr<LiveRequest>> requests_;
  std::unordered_map<uint64_t, std::unique_ptr<LiveAnswer>> answers_;
  Watched deadlines_, pauses_;
};

}  // namespace tern
