// From logits to a token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/decode/sampling_params.h"
#include "engine/decode/token_counts.h"

namespace tern {

/// What sampling looks at besides the logits. What the parameters do not need may stay empty.
struct SampleHistory {
  uint64_t position = 0;                      ///< index of the token in the answer
  std::span<const int32_t> output_token_ids;  ///< the answer so far: for bad words
  std::span<const int32_t> end_token_ids;     ///< masked while position < min_tokens
  const TokenCounts* counts = nullptr;        ///< for the penalties
};

/// Scratch for one thread; reused from call to call. One thread.
class Sampler {
 public:
  /// For vocabularies up to `vocab_size`.
  explicit Sampler(int32_t vocab_size);

  /// The next token. Masks, logit_bias and penalties change a copy of the logits. Then greedy: the
  /// lowest id among the largest. Else temperature → min_p → top_k → top_p → a draw that is a
  /// function of (params.seed, position): the same request gives the same tokens whatever runs
  /// beside it. Ties in top_k and top_p go to the lower id. kInternal where a logit is not a number
  /// or infinite, kInvalidArgument where the masks leave no token.
  Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params,
                         const SampleHistory& history);

 private:
  struct Candidate {
    float probability;  ///< not normalised: the largest is 1
    int32_t id;
  };

  static bool more_probable(const Candidate& a, const Candidate& b);  // of equals the lower id
  std::span<const float> adjust(std::span<const float> logits, const SamplingParams& params,
                                const SampleHistory& history);
  void keep_candidates(std::span<const float> logits, const SamplingParams& params, float largest);
  void keep_top_p(float top_p, bool sorted);

  std::vector<float> adjusted_;
  std::vector<Candidate> candidates_;
};

}  // namespace tern
