// How a sequence's answer comes about: what a step is to compute for it, and which tokens come of
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/utf8.h"
#include "engine/decode/constraint.h"
#include "engine/decode/finish_reason.h"
#include "engine/decode/logprobs.h"
#include "engine/decode/row_sampler.h"
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
  std::unique_ptr<Constraint> constraint;  ///< null = none; has accepted the answer so far
  std::vector<uint32_t> mask_bits;         ///< of the step's rows, where there is a constraint
};

/// What a step computes of one answer, as far as its last known token and the drafts behind it.
struct PlannedRows {
  std::span<const int32_t> output_token_ids;  ///< the answer so far

  /// Those of the demanded drafts that are computed, from the first on: a step without room for all
  /// leaves some out.
  std::span<const int32_t> draft_token_ids;

  /// The rows of the step's logits that are the answer's: the demanded ones, without those of
  /// drafts that were left out. The last one is that of the last draft, or known token.
  int32_t first_row = 0, num_rows = 0;
  int32_t vocab_size = 0;
};

/// What came of the answer's RowRequests, in their order.
struct SampledRows {
  std::span<const int32_t> output_token_ids;  ///< as planned
  std::span<const int32_t> draft_token_ids;   ///< as planned
  std::span<const Status> statuses;           ///< kInternal on a numeric fault, kInvalidArgument
                                              ///< where the request's masks leave no token
  std::span<const int32_t> token_ids;         ///< where the status is ok
  std::span<TokenLogprobs> logprobs;          ///< to move from, where the request wants them
};

/// What one step gave a request.
struct Commit {
  /// How many of the last rows that were computed do not stay: drafts that were wrong, or lie
  /// behind one. Token_ids begins with the drafts that stay.
  int32_t num_rejected = 0;
  std::vector<int32_t> token_ids;  ///< any number, to append to the sequence and tell the client
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

  /// What the next step is to compute of `seq` behind its known tokens; `demand` comes with its
  /// default. Asked before the first step and after each that computed some of the sequence; the
  /// step may be a later one, but the tokens are those of `seq` then, too. Drafts are token ids of
  /// the vocabulary, those beyond seq.max_draft_tokens() are not computed; num_outputs is at most 1
  /// more than there are drafts. Allocates nothing once it has been called with as many drafts.
  virtual void demand(DecodeState& state, const Sequence& seq, Demand& demand) const {
    (void)state, (void)seq, (void)demand;
  }

  /// Appends what is wanted of the planned rows, which may depend on the drafts; called for a step
  /// that computes the last known token. As long as no strategy says otherwise: of each row the
  /// token that would follow it, were all drafts before it right.
  virtual void request_rows(DecodeState& state, const PlannedRows& rows,
                            std::vector<RowRequest>& requests) const;

  /// Turns what was sampled into tokens and text. A status of `rows` that is not ok: only this
  /// request ends.
  virtual Result<Commit> commit(DecodeState& state, const SampledRows& rows) const = 0;
};

/// One token a step. `tokenizer` may be null (then there is no text); `eos_token_ids` end an answer
/// unless the request ignores them.
std::unique_ptr<DecodeStrategy> make_autoregressive(const Tokenizer* tokenizer,
                                                    const std::vector<int32_t>& eos_token_ids);

}  // namespace tern
