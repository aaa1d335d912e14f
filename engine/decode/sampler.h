// From logits to a token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cpu_info.h"
#include "base/status.h"
#include "engine/decode/falling_weights.h"
#include "engine/decode/row_passes.h"
#include "engine/decode/sampling_params.h"
#include "engine/decode/token_counts.h"

namespace tern {

/// What sampling looks at besides the logits. What the parameters do not need may stay empty.
struct SampleHistory {
  uint64_t position = 0;                      ///< index of the token in the answer
  std::span<const int32_t> output_token_ids;  ///< the answer so far: for bad words
  std::span<const int32_t> draft_token_ids;   ///< taken to follow it, up to this token
  std::span<const int32_t> end_token_ids;     ///< masked while position < min_tokens
  const TokenCounts* counts = nullptr;        ///< without drafts; for the penalties
  std::span<const uint32_t> allowed;  ///< [mask_words(vocab_size)], see Constraint; empty = all
};

/// Scratch for one thread; reused from call to call. One thread.
class Sampler {
 public:
  /// For vocabularies up to `vocab_size`. `isa`, which this CPU must have, changes no token.
  explicit Sampler(int32_t vocab_size, Isa isa = cpu_info().default_isa);

  /// What the constructor takes of the memory, for a vocabulary of this size.
  static size_t scratch_bytes(int32_t vocab_size);

  /// The next token. Masks, logit_bias and penalties change a copy of the logits. Then greedy: the
  /// lowest id among the largest. Else temperature → min_p → top_k → top_p → a draw that is a
  /// function of (params.seed, position): the same request gives the same tokens whatever runs
  /// beside it. Ties in top_k and top_p go to the lower id. kInternal where a logit is not a number
  /// or infinite, kInvalidArgument where the masks leave no token.
  Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params,
                         const SampleHistory& history);

 private:
  std::span<const float> adjust(std::span<const float> logits, const SamplingParams& params,
                                const SampleHistory& history);
  void fill_mask(const SamplingParams& params, const SampleHistory& history);
  int32_t draw(const SamplingParams& params, uint64_t position);
  int32_t draw_by_id(double uniform) const;
  int32_t draw_from_top_p(double least, double uniform);

  const RowPasses* passes_;
  std::vector<uint32_t> mask_;  // see token_mask.h
  std::vector<float> adjusted_;
  // Of the row: e^((logit - largest) / temperature), as WeighLogits leaves it.
  std::vector<float> weights_;
  std::vector<double> block_sums_;
  std::vector<float> block_largest_;
  double total_ = 0;  // of the weights, block by block
  FallingWeights falling_;
};

}  // namespace tern
