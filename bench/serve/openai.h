// The OpenAI API's words: requests out, events of its streams in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "bench/serve/request.h"

namespace tern::bench {

enum class OpenAiEndpoint { kCompletions, kChat };

/// The body of a streaming request that asks for usage. Text becomes one user's message where the
/// endpoint is a chat, messages of a data set need a chat: kInvalidArgument.
Result<std::string> to_openai_body(const PlannedRequest& request, const RequestSettings& settings,
                                   OpenAiEndpoint endpoint, const std::string& model);

/// What one event of a stream says.
struct OpenAiEvent {
  bool has_output = false;  ///< text, or a token that gives none; not a chat's opening role
  bool is_done = false;     ///< "[DONE]"
  std::optional<int32_t> prompt_tokens, completion_tokens, cached_tokens;  ///< of its usage
  std::string error_type, error_message;  ///< the stream has failed
};

/// kInvalidArgument: not JSON.
Result<OpenAiEvent> parse_openai_event(std::string_view data);

/// {"error": {message, type, code}} of a refusal: (type or code, message); the text itself where it
/// is none.
std::pair<std::string, std::string> parse_openai_error(const std::string& body);

/// The model of a /v1/models answer, and its context where it is told (vLLM: max_model_len,
/// llama.cpp: meta.n_ctx or meta.n_ctx_train).
Result<ServerFacts> parse_openai_models(const std::string& body);

}  // namespace tern::bench
