// The answers to the prompts of one HTTP request, from the engine's thread to the one that writes.
#pragma once

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/api/call.h"

namespace tern::http {

/// Moves the elements of `from` behind those of `to`.
template <class T>
void append(std::vector<T>&& from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

/// What is new in one choice of the response.
struct ChoiceDelta {
  int32_t prompt = 0;  ///< which of the request's prompts
  int32_t index = 0;   ///< which of the prompt's answers
  std::string text;
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;
  std::optional<v1::Finished> finished;  ///< with the last one
};

/// Submits one request a prompt and collects what comes. What has not been fetched is joined to
/// one delta an answer (EventQueue): a slow client costs no queue. The engine's thread never waits
/// here. One thread; the requests are live until it is destroyed, and cancelled then.
class Answers {
 public:
  Answers();
  ~Answers();
  Answers(const Answers&) = delete;

  /// Admission of all, or the refusal of the first that is not admitted. `prompt_only`: the prompts
  /// are computed, and the answers are empty.
  std::optional<ApiError> submit(ServingState& state, const std::vector<v1::GenerateRequest>& in,
                                 bool prompt_only, const std::optional<TimePoint>& deadline,
                                 const Caller& caller = {});

  /// What has come since the last call; waits for something at most `timeout`. The prompts'
  /// log-probabilities are there before the first delta of their prompt.
  std::vector<ChoiceDelta> fetch(Seconds timeout);

  /// All have ended, and all has been fetched.
  bool done() const;

  /// How the first that failed did.
  std::optional<ApiError> error() const;

  void cancel();

  int32_t num_prompts() const;
  int32_t n() const;  ///< answers a prompt
  const v1::Accepted& accepted(int32_t prompt) const;
  const std::vector<TokenLogprobs>& prompt_logprobs(int32_t prompt) const;
  const Tokenizer* tokenizer() const;

 private:
  class Sink;
  struct Mailbox;
  bool has_events() const;

  std::shared_ptr<Mailbox> mailbox_;
  std::vector<std::shared_ptr<Sink>> sinks_;
};

}  // namespace tern::http
