// Failures as HTTP clients see them, in OpenAI's shape.
#pragma once

#include "server/api/api_error.h"
#include "server/http/json.h"
#include "server/http/message.h"

namespace tern::http {

/// The status that stands for a canonical code.
int http_status(Code code);

/// {"error": {"message", "type", "param", "code", "reason", "metadata"}}: `code` is OpenAI's where
/// it has one for this, else `reason`, which is ErrorInfo's.
Json error_json(const ApiError& error);

/// The whole response, with Retry-After where another try may help.
Response error_response(const ApiError& error);

/// `error`, which names fields of tern.v1, in the names of the JSON that a client sent.
ApiError with_json_names(ApiError error);

}  // namespace tern::http
