// How tokens are chosen and when an answer ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// Added to a token's logit.
struct LogitBias {
  int32_t token_id = 0;
  float bias = 0;  ///< [-100, 100]
};

/// What the numbers may be stands in engine/decode/param_ranges.h. Every field begins with its
/// neutral value: greedy is temperature 0. Applied in the order
/// allowed_token_ids, bad_words → logit_bias → min_tokens → penalties → temperature → min_p → top_k
/// → top_p → draw (docs/engine-contract.md).
struct SamplingParams {
  float temperature = 1.0f;  ///< [0, 2]; below 1e-5 = greedy, and the filters are off
  int32_t top_k = 0;         ///< 0 = off, else keep the k most probable
  float top_p = 1.0f;        ///< [0, 1]: the fewest most probable tokens whose mass reaches p, at
                             ///< least one
  float min_p = 0.0f;        ///< [0, 1]: keep tokens with probability >= min_p × the largest
  uint64_t seed = 0;         ///< draws are a function of (seed, position in the answer)
  int32_t n = 1;             ///< answers to one prompt; number i draws with seed + i (modulo 2^64)

  float presence_penalty = 0;    ///< [-2, 2]: subtracted once from tokens of the answer
  float frequency_penalty = 0;   ///< [-2, 2]: subtracted for each occurrence in the answer
  float repetition_penalty = 1;  ///< (0, 10]: tokens of prompt and answer: a logit >= 0 is divided
                                 ///< by it, one < 0 multiplied
  std::vector<LogitBias> logit_bias;
  std::vector<int32_t> allowed_token_ids;  ///< empty = all
  std::vector<std::string> bad_words;      ///< the token that would complete one is never drawn
  /// The ids that spell bad_words, with and without a leading space: Engine::submit() fills it in.
  std::vector<std::vector<int32_t>> bad_word_token_ids;

  int32_t max_tokens = 0;  ///< 0 = what the context leaves
  int32_t min_tokens = 0;  ///< until then end tokens are masked and stop strings do not count
  std::vector<std::string> stop;                 ///< the answer is cut where one begins
  bool include_stop_str_in_output = false;       ///< the text of a token that ends the answer, too
  std::vector<int32_t> stop_token_ids;           ///< besides the model's end-of-sequence tokens
  bool ignore_eos = false;                       ///< end-of-sequence tokens go on like any other
  bool skip_special_tokens = true;               ///< special tokens give no text
  std::vector<int32_t> shown_special_token_ids;  ///< but these do

  std::optional<int32_t> logprobs;         ///< alternatives a token of the answer, [0, 20]
  std::optional<int32_t> prompt_logprobs;  ///< of the prompt; then no cached prefix is read
  std::vector<int32_t> logprob_token_ids;  ///< at most 128, besides the alternatives

  bool is_greedy() const { return temperature < 1e-5f; }
  bool has_penalties() const {
    return presence_penalty != 0 || frequency_penalty != 0 || repetition_penalty != 1;
  }
  bool wants_logprobs() const { return logprobs || !logprob_token_ids.empty(); }

  /// kInvalidArgument naming field, limit and value. NaN is refused.
  Status validate() const;

  /// The part of validate() that is to be asked again where an unset max_tokens has become a
  /// number: kInvalidArgument where min_tokens is larger.
  Status validate_min_tokens() const;

  /// kInvalidArgument naming the first id that is not in [0, vocab_size), as "logit_bias: …".
  Status validate_ids(int32_t vocab_size) const;
};

/// What counts where a request says nothing: from the operator's configuration, the model's
/// generation_config.json, its family. Unset fields have SamplingParams' values.
struct SamplingDefaults {
  std::optional<float> temperature;
  std::optional<int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::optional<int32_t> max_tokens;

  /// Whether any field is set.
  bool any() const;

  /// Unset fields become what `other` has.
  void fill_from(const SamplingDefaults& other);

  /// SamplingParams with these values.
  SamplingParams params() const;
};

/// "temperature 0.6, top_p 0.9": the fields that are set; "neutral" where none is.
std::string describe(const SamplingDefaults& defaults);

}  // namespace tern
