// Log-probabilities of tokens: the log-softmax of the model's own logits, before anything that
// sampling does to them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"

namespace tern {

struct TokenLogprob {
  int32_t token_id = 0;
  std::optional<double> logprob;  ///< natural logarithm; none for the first token of a prompt
  int32_t rank = 0;  ///< 1 = the most probable (of equal ones the lowest id); 0 = not computed
};

/// Of one position.
struct TokenLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  ///< most probable first
};

/// log(Σ exp v), summed in double in the order of `v`, which must not be empty. NaN where an
/// element is.
double log_sum_exp(std::span<const float> v);

/// Of `chosen` and the `num_top` most probable tokens, and of `others` (without rank unless they
/// are among those). kInternal where a logit is not a number or infinite.
Result<TokenLogprobs> compute_logprobs(std::span<const float> logits, int32_t chosen,
                                       int32_t num_top, std::span<const int32_t> others = {});

}  // namespace tern
