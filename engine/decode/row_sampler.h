// A step's rows of logits turned into tokens and log-probabilities, several at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/cpu_info.h"
#include "base/status.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "engine/decode/logprobs.h"
#include "engine/decode/sampler.h"
#include "engine/decode/sampling_params.h"

namespace tern {

/// What is wanted of one row of a step's logits. A view: what it points to lives until the step's
/// output is there.
struct RowRequest {
  int32_t row = 0;  ///< of the step's logits

  /// A token is sampled with these; null where known_token_id says what follows the row.
  const SamplingParams* params = nullptr;
  SampleHistory history;
  int32_t known_token_id = -1;  ///< a prompt's next token, whose log-probability is wanted

  /// Alternatives to tell of, besides the token's own log-probability; -1 = none of all that.
  int32_t num_logprobs = -1;
  std::span<const int32_t> logprob_token_ids;  ///< told of, too
};

/// What a step gave, by request. Reused: a step of the same size allocates nothing.
struct StepOutput {
  std::vector<Status> statuses;         ///< as of Sampler::sample() and compute_logprobs()
  std::vector<int32_t> token_ids;       ///< where the status is ok
  std::vector<TokenLogprobs> logprobs;  ///< where they were asked for
  Seconds forward_time{0};              ///< until the logits were there
  Seconds sampling_time{0};             ///< from then on
};

/// One thread at a time.
class RowSampler {
 public:
  /// For vocabularies up to `vocab_size`; `pool` may be null and must outlive the sampler. Takes
  /// scratch memory for each of its threads.
  RowSampler(int32_t vocab_size, Isa isa, ThreadPool* pool);

  /// What the constructor takes of the memory.
  static size_t scratch_bytes(int32_t vocab_size, int num_threads);

  /// Serves `requests` from `logits` [rows, vocab_size], each on one thread; which one, and what is
  /// beside it, changes no bit.
  void sample(MatView<const float> logits, std::span<const RowRequest> requests,
              StepOutput& output);

 private:
  ThreadPool* const pool_;
  std::vector<Sampler> samplers_;  // by thread
};

}  // namespace tern
