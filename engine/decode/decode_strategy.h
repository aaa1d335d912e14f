// How a sequence's answer comes about: which rows of a step give logits, and which tokens they
// commit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "base/utf8.h"
#include "engine/decode/finish_reason.h"
#include "engine/decode/logprobs.h"
#include "engine/decode/sampler.h"
#include "engine/decode/sampling_params.h"
#include "engine/decode/stop.h"
#include "engine/text/tokenizer.h"
#include "scheduler/step_plan.h"

namespace tern {

/// What decoding remembers of one answer. Engine thread.
struct DecodeState {
  SamplingParams params;  ///< max_tokens resolved: >= 1
  StopMatcher stop;
  Utf8Stream utf8;
  std::vector<int32_t> end_token_ids;  ///< that end the answer; only where min_tokens masks them
  TokenCounts counts;                  ///< only where there are penalties
  int32_t num_output_tokens = 0;
};

/// What one step gave a request.
struct Commit {
  std::vector<int32_t> token_ids;       ///< to append to the sequence, and to tell the client
  std::vector<TokenLogprobs> logprobs;  ///< of them, where the request wants them
  std::string text;                     ///< to tell the client: whole characters
  bool finished = false;
  FinishReason reason = FinishReason::kLength;
  int32_t stop_token = -1;  ///< for kEos and kStopToken
};

/// Immutable; engine thread.
class DecodeStrategy {
 public:
  virtual ~DecodeStrategy() = default;

  /// The state before the first token of an answer to `prompt`. Takes all memory that its steps
  /// will need.
  virtual DecodeState start(const SamplingParams& params,
                            std::span<const int32_t> prompt) const = 0;

  /// How many of the last rows of a scheduled chunk give logits; 0 for a prefill that is not
  /// complete.
  virtual int32_t num_logits_rows(const ScheduledSequence& scheduled) const = 0;

  /// Turns those rows [num_logits_rows, vocab_size] into tokens and text. `output_token_ids`: the
  /// answer so far. kInternal on a numeric fault, kInvalidArgument where the request's masks leave
  /// no token: only this request ends.
  virtual Result<Commit> commit(DecodeState& state, std::span<const int32_t> output_token_ids,
                                MatView<const float> logits, Sampler& sampler) const = 0;
};

/// One token a step. `tokenizer` may be null (then there is no text); `eos_token_ids` end an answer
/// unless the request ignores them.
std::unique_ptr<DecodeStrategy> make_autoregressive(const Tokenizer* tokenizer,
                                                    std::vector<int32_t> eos_token_ids);

}  // namespace tern
