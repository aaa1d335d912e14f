// What the engine tells whoever waits for a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/decode/finish_reason.h"
#include "engine/decode/logprobs.h"

namespace tern {

struct Usage {
  int32_t prompt_tokens = 0;
  int32_t completion_tokens = 0;
  int32_t cached_tokens = 0;  ///< of the prompt, taken from the prefix cache
};

/// Durations of one answer, monotonic; from Request::arrival, so parsing and tokenizing count.
struct Timing {
  Seconds queue{0};  ///< arrival to first admission
  Seconds ttft{0};   ///< arrival to first token; 0 where there was none
  Seconds e2e{0};    ///< arrival to end
  int32_t num_preemptions = 0;
  int32_t num_recomputed_tokens = 0;
};

/// How an answer ended. Exactly one comes for each of a request's n answers, with its last token,
/// and nothing after the last. Where one fails (its status is not ok), all others that still live
/// end with its status.
struct FinishedEvent {
  Status status;  ///< ok: `reason` says why; else kCancelled, kInternal, kUnavailable, …
  FinishReason reason = FinishReason::kLength;
  std::string matched_stop;         ///< the stop string that matched, for kStopString
  int32_t matched_stop_token = -1;  ///< the id, for kStopToken and kEos
  Usage usage;
  Timing timing;
};

struct TokenEvent {
  int32_t index = 0;  ///< which of the request's n answers
  std::string text;   ///< whole UTF-8 characters, ready to show; may be empty
  /// New since the last event, in order. The one that ended the answer is among them, though the
  /// text does not show it.
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;  ///< of token_ids, where the request wants them
  std::optional<FinishedEvent> finished;
};

class TokenSink {
 public:
  virtual ~TokenSink() = default;

  /// The request has left the queue: its prompt is being computed. Engine thread; must not block.
  virtual void on_admitted(int32_t cached_tokens) { (void)cached_tokens; }

  /// Log-probabilities of the prompt's tokens from position `first` on, where the request wants
  /// them: in order, all of them before the first token. Engine thread; must not block.
  virtual void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) {
    (void)first, (void)logprobs;
  }

  /// Engine thread (or the thread in Engine::shutdown()); must not block. Of the engine it may call
  /// cancel(), pause() and resume().
  virtual void on_event(TokenEvent event) = 0;
};

}  // namespace tern
