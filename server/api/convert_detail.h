// What the files of convert share: refusals, ranges. For convert*.cpp only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/decode/param_ranges.h"
#include "server/api/convert.h"

namespace tern::convert {

using Error = std::optional<ApiError>;

// Leaves the enclosing function with the error of `expr`, if there is one.
#define TERN_REFUSE(expr)                                                          \
  do {                                                                             \
    if (::tern::convert::Error tern_error = (expr); tern_error) return tern_error; \
  } while (false)

/// Refuses a value that is set and out of its range. `group`: what stands before the range's name
/// in the field's path, with the dot ("sampling.random."), or "".
Error check(std::string_view group, const ParamRange& range, const std::optional<double>& value);

/// Refuses more than `limit` elements of `field`.
Error check_count(const std::string& field, int count, int limit, const char* what);

/// Two fields that do not go together; `field` is the one to change.
ApiError conflict(std::string field, std::string why);

ApiError feature_disabled(std::string field, std::string message);

uint64_t random_bits();

/// Sampling and stopping, with the model's defaults filled in.
Error set_sampling(const v1::SamplingParams& in, const Engine& engine, const RequestLimits& limits,
                   SamplingParams* out);

/// The log-probabilities that `in` asks for.
Error set_logprobs(const v1::ResponseOptions& in, int32_t vocab_size, SamplingParams* out);

}  // namespace tern::convert
