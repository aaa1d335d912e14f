// /v1/completions and /v1/chat/completions, from a parsed body to the response.
#pragma once

#include <memory>
#include <optional>

#include "server/api/serving_state.h"
#include "server/http/format.h"
#include "server/http/generate_request.h"
#include "server/http/message.h"

namespace tern::http {

/// Who asks, for the log.
Caller caller_of(const Request& request);

/// The header X-Request-Timeout-Ms, where there is one.
std::optional<ApiError> read_deadline(const Request& request, std::optional<TimePoint>* out);

/// Submits what `body` asks for. A unary answer is waited for here, a stream is written later, by
/// the response's `stream`. `slot` is held until the response is written. Blocks.
Response generate(const Request& request, GenerateBody body, const Format& format,
                  ServingState& state, std::shared_ptr<void> slot);

}  // namespace tern::http
