// Why an answer is complete.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

enum class FinishReason : uint8_t {
  kEos,         ///< the model's end-of-sequence token
  kStopToken,   ///< one of the request's stop_token_ids
  kStopString,  ///< one of the request's stop strings
  kLength,      ///< max_tokens
};

/// The field's names: "length", and "stop" for all others.
constexpr std::string_view finish_reason_name(FinishReason reason) {
  return reason == FinishReason::kLength ? "length" : "stop";
}

}  // namespace tern
