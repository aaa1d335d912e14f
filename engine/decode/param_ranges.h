// What each number among the sampling parameters may be: the one table that requests, configuration
// and model files are checked against.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tern {

/// The values that one parameter may have.
struct ParamRange {
  std::string_view name;   ///< of the field in SamplingParams, in tern.v1 and in the JSON
  double lowest, highest;  ///< both included, unless `excludes_lowest`
  double neutral;          ///< what changes nothing
  bool excludes_lowest = false;

  /// False for NaN.
  bool contains(double value) const {
    return (excludes_lowest ? value > lowest : value >= lowest) && value <= highest;
  }

  /// Returns this range with another lowest value, for where "unset" says what the neutral value
  /// says here.
  constexpr ParamRange from(double least) const { return {name, least, highest, neutral}; }

  /// Returns this range with another highest value.
  constexpr ParamRange up_to(double most) const {
    return {name, lowest, most, neutral, excludes_lowest};
  }

  /// "must be in [0, 2], is 3", to stand behind the name that the reader knows the field by.
  std::string refuse(double value) const;

  /// A value as refuse() writes it.
  static std::string print(double value);

  /// kInvalidArgument, "temperature: must be in [0, 2], is 3", unless contains().
  Status check(double value) const;
};

namespace param_range {

inline constexpr double kMostInt = std::numeric_limits<int32_t>::max();

inline constexpr ParamRange kTemperature{"temperature", 0, 2, 1};
inline constexpr ParamRange kTopK{"top_k", 0, kMostInt, 0};
inline constexpr ParamRange kTopP{"top_p", 0, 1, 1};
inline constexpr ParamRange kMinP{"min_p", 0, 1, 0};
inline constexpr ParamRange kPresencePenalty{"presence_penalty", -2, 2, 0};
inline constexpr ParamRange kFrequencyPenalty{"frequency_penalty", -2, 2, 0};
inline constexpr ParamRange kRepetitionPenalty{"repetition_penalty", 0, 10, 1, true};
inline constexpr ParamRange kLogitBias{"logit_bias", -100, 100, 0};
inline constexpr ParamRange kMaxTokens{"max_tokens", 0, kMostInt, 0};  // 0: what the context leaves
inline constexpr ParamRange kMinTokens{"min_tokens", 0, kMostInt, 0};
inline constexpr ParamRange kN{"n", 1, kMostInt, 1};
inline constexpr ParamRange kLogprobs{"logprobs", 0, 20, 0};
inline constexpr ParamRange kPromptLogprobs{"prompt_logprobs", 0, 20, 0};
inline constexpr ParamRange kNumLogprobTokenIds{"logprob_token_ids", 0, 128, 0};

/// What files, which write closed bounds, may set as the least repetition penalty.
inline constexpr double kLeastDefaultRepetitionPenalty = 0.01;

}  // namespace param_range
}  // namespace tern
