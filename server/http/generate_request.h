// Bodies of /v1/completions and /v1/chat/completions as requests of tern.v1, which then go the way
// of all requests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/http/fields.h"
#include "tern/v1/inference.pb.h"

namespace tern::http {

/// What tern.v1 does not know: how the answer is to be written.
struct AnswerOptions {
  bool stream = false;
  bool include_usage = false;     ///< a last chunk with the usage
  bool continuous_usage = false;  ///< every chunk has the usage so far
  bool echo = false;              ///< the prompt in front of the text
  bool prompt_only = false;       ///< max_tokens 0 with echo: the answer is empty
  bool logprobs = false;
  bool prompt_logprobs = false;  ///< asked for as such, besides echo
  bool return_token_ids = false;
  bool parse_tool_calls = false;
  bool parallel_tool_calls = true;  ///< false: of several calls only the first is given
  bool skip_special_tokens = true;
  bool text_offsets = false;  ///< a completion's logprobs tell where tokens are in prompt and text

  bool needs_prompt() const { return echo || text_offsets; }
};

struct GenerateBody {
  std::vector<v1::GenerateRequest> requests;  ///< one a prompt
  AnswerOptions options;
};

/// Errors name the fields of the JSON. `ignored`: as Fields has it.
std::optional<ApiError> parse_completion(const Json& body, IgnoredFields* ignored,
                                         GenerateBody* out);
std::optional<ApiError> parse_chat(const Json& body, IgnoredFields* ignored, GenerateBody* out);

/// messages, tools, tool_choice, documents, chat_template_kwargs, reasoning_effort,
/// add_generation_prompt and continue_final_message of a chat. `wants_tools`: there are tools, and
/// the model may call them.
void read_chat(Fields& fields, v1::ChatInput* out, bool* wants_tools);

/// What both kinds of body share: sampling, stopping, streaming.
void read_common(Fields& fields, v1::GenerateRequest* out, AnswerOptions* options);

}  // namespace tern::http
