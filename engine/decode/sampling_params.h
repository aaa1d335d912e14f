// How tokens are chosen and when an answer ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

/// Every field has its neutral value: greedy is temperature 0. Applied in the order temperature →
/// min_p → top_k → top_p → draw (docs/engine-contract.md).
struct SamplingParams {
  float temperature = 1.0f;  ///< [0, 2]; below 1e-5 = greedy, and the filters are off
  int32_t top_k = 0;         ///< 0 = off, else keep the k most probable
  float top_p = 1.0f;        ///< (0, 1]: smallest set of most probable tokens whose mass reaches p
  float min_p = 0.0f;        ///< [0, 1]: keep tokens with probability >= min_p × the largest
  uint64_t seed = 0;         ///< draws are a function of (seed, position in the answer)

  int32_t max_tokens = 0;         ///< 0 = what the context leaves
  std::vector<std::string> stop;  ///< the answer is cut where one begins
  bool include_stop_str_in_output = false;
  std::vector<int32_t> stop_token_ids;  ///< besides the model's end-of-sequence tokens
  bool ignore_eos = false;              ///< end-of-sequence tokens go on like any other
  bool skip_special_tokens = true;      ///< special tokens give no text

  /// kInvalidArgument naming field, limit and value. NaN is refused.
  Status validate() const;
};

/// What the model's generation_config.json proposes; unset fields have SamplingParams' values.
struct SamplingDefaults {
  std::optional<float> temperature;
  std::optional<int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
};

}  // namespace tern
