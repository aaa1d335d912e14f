#include "engine/decode/sampling_params.h"

#include <cmath>

namespace tern {
namespace {

// The negated form refuses NaN too.
Status check_range(const char* field, float value, float low, float high,
                   bool low_is_open = false) {
  if (value <= high && (low_is_open ? value > low : value >= low)) return {};
  return invalid_argument(std::string(field) + ": must be in " + (low_is_open ? "(" : "[") +
                          std::to_string(low) + ", " + std::to_string(high) + "], is " +
                          std::to_string(value));
}

}  // namespace

Status SamplingParams::validate() const {
  TERN_TRY(check_range("temperature", temperature, 0, 2));
  TERN_TRY(check_range("top_p", top_p, 0, 1, true));
  TERN_TRY(check_range("min_p", min_p, 0, 1));
  if (top_k < 0)
    return invalid_argument("top_k: must be 0 (off) or more, is " + std::to_string(top_k));
  if (max_tokens < 0)
    return invalid_argument("max_tokens: must be 0 (what the context leaves) or more, is " +
                            std::to_string(max_tokens));
  for (const std::string& s : stop)
    if (s.empty()) return invalid_argument("stop: a stop string must not be empty");
  return {};
}

}  // namespace tern
