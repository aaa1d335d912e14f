#include "bench/serve/openai.h"

#include <nlohmann/json.hpp>

namespace tern::bench {
namespace {

using nlohmann::json;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json parse(std::string_view text) {
  return json::parse(text, nullptr, false);
}

// Null where `value` is no object or has no `key`.
const json& member(const json& value, const char* key) {
  static const json null;
  if (!value.is_object()) return null;
  const auto found = value.find(key);
  return found == value.end() ? null : *found;
}

bool has_text(const json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

std::optional<int32_t> count_of(const json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) return {};
  return value.get<int32_t>();
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : dump(value);
}

bool has_output(const json& choice) {
  const bool has_ended = !member(choice, "finish_reason").is_null();
  const json& delta = member(choice, "delta");
  if (delta.is_null())
    return has_text(member(choice, "text")) || (!has_ended && choice.contains("text"));
  for (const char* key : {"content", "reasoning_content", "reasoning"})
    if (has_text(member(delta, key))) return true;
  if (!member(delta, "tool_calls").empty()) return true;
  return !has_ended && !delta.contains("role") && delta.contains("content");
}

std::pair<std::string, std::string> error_of(const json& error) {
  if (error.is_string()) return {"", error.get<std::string>()};
  const json& type = member(error, "type");
  return {text_of(type.is_null() ? member(error, "code") : type),
          text_of(member(error, "message"))};
}

}  // namespace

Result<std::string> to_openai_body(const PlannedRequest& request, const RequestSettings& settings,
                                   OpenAiEndpoint endpoint, const std::string& model) {
  json body = {{"model", model},
               {"max_tokens", request.max_tokens},
               {"seed", int64_t(request.seed >> 1)},  // JSON's readers have signed integers
               {"stream", true},
               {"stream_options", {{"include_usage", true}}}};
  if (settings.temperature) body["temperature"] = *settings.temperature;
  if (settings.ignore_eos) body["ignore_eos"] = true;
  if (endpoint == OpenAiEndpoint::kCompletions) {
    if (!request.messages.empty())
      return invalid_argument("the data set has messages: they need --endpoint chat");
    body["prompt"] = request.token_ids.empty() ? json(request.text) : json(request.token_ids);
    return dump(body);
  }
  if (!request.token_ids.empty())
    return invalid_argument("token ids cannot be sent as a chat: use --prompt-as text");
  body["messages"] = json::array();
  if (request.messages.empty())
    body["messages"].push_back({{"role", "user"}, {"content", request.text}});
  for (const ChatTurn& turn : request.messages)
    body["messages"].push_back({{"role", turn.role}, {"content", turn.content}});
  return dump(body);
}

Result<OpenAiEvent> parse_openai_event(std::string_view data) {
  OpenAiEvent event;
  if (data == "[DONE]") {
    event.is_done = true;
    return event;
  }
  const json value = parse(data);
  if (!value.is_object())
    return invalid_argument("an event of the stream is no JSON object: '" +
                            std::string(data.substr(0, 80)) + "'");
  if (const json& error = member(value, "error"); !error.is_null()) {
    std::tie(event.error_type, event.error_message) = error_of(error);
    if (event.error_message.empty()) event.error_message = dump(error);
  }
  const json& choices = member(value, "choices");
  if (choices.is_array())
    for (const json& choice : choices) event.has_output |= choice.is_object() && has_output(choice);
  const json& usage = member(value, "usage");
  event.prompt_tokens = count_of(member(usage, "prompt_tokens"));
  event.completion_tokens = count_of(member(usage, "completion_tokens"));
  event.cached_tokens = count_of(member(member(usage, "prompt_tokens_details"), "cached_tokens"));
  return event;
}

std::pair<std::string, std::string> parse_openai_error(const std::string& body) {
  const json value = parse(body);
  const json& error = member(value, "error");
  auto out = error_of(error.is_null() ? value : error);
  if (out.second.empty()) out.second = body.substr(0, 200);
  return out;
}

Result<ServerFacts> parse_openai_models(const std::string& body) {
  const json value = parse(body);
  const json& data = member(value, "data");
  if (!data.is_array() || data.empty() || !member(data[0], "id").is_string())
    return invalid_argument("/v1/models names no model: '" + body.substr(0, 80) + "'");
  ServerFacts facts{.model = data[0]["id"].get<std::string>()};
  const json& meta = member(data[0], "meta");
  for (const json* context :
       {&member(data[0], "max_model_len"), &member(meta, "n_ctx"), &member(meta, "n_ctx_train")})
    if (facts.max_model_len == 0) facts.max_model_len = count_of(*context).value_or(0);
  facts.vocab_size = count_of(member(meta, "n_vocab")).value_or(0);
  return facts;
}

}  // namespace tern::bench
