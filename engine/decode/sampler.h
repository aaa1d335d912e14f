// From logits to a token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/decode/sampling_params.h"

namespace tern {

/// Scratch for one thread; reused from call to call. One thread.
class Sampler {
 public:
  /// For vocabularies up to `vocab_size`.
  explicit Sampler(int32_t vocab_size);

  /// The next token. Greedy: the lowest id among the largest logits. Else temperature → min_p →
  /// top_k → top_p → a draw that is a function of (params.seed, position): the same request gives
  /// the same tokens whatever runs beside it. Ties in top_k and top_p go to the lower id.
  /// `position` is the token's index in the answer. kInternal where a logit is not a number or
  /// infinite.
  Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params,
                         uint64_t position);

 private:
  struct Candidate {
    float probability;  ///< not normalised: the largest is 1
    int32_t id;
  };

  void keep_candidates(std::span<const float> logits, const SamplingParams& params, float largest);

  std::vector<Candidate> candidates_;
};

}  // namespace tern
