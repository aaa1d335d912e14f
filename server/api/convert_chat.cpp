#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/big_integers.h"
#include "engine/text/chat_renderer.h"
#include "engine/text/message_forms.h"
#include "server/api/convert_detail.h"

namespace tern {
namespace {

using convert::Error;
using Json = nlohmann::ordered_json;  // templates print tools: keys stay in the client's order

constexpr int kMaxJsonDepth = 100;

// An object given as text.
Error parse_object(const std::string& text, const std::string& field, Json* out) {
  bool too_deep = false;
  const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kMaxJsonDepth;
    return depth <= kMaxJsonDepth;
  };
  *out = Json::parse(quote_big_integers(text), limit_depth, false);
  if (too_deep) return bad_field(field, "nested deeper than " + std::to_string(kMaxJsonDepth));
  if (!out->is_object()) return bad_field(field, "must be a JSON object");
  return {};
}

// A map of protobuf has no order: sorted keys, so that equal requests are equal prompts.
Error parse_object(const google::protobuf::Struct& object, const std::string& field, Json* out) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(object, &text).ok())
    return bad_field(field, "has a value that JSON cannot hold");
  *out = Json::parse(nlohmann::json::parse(text).dump());
  return {};
}

// An object that comes as `field` (null: not set), as `field`_json (empty: not set), or not at all.
Error set_object(const google::protobuf::Struct* object, const std::string& text,
                 const std::string& field, Json* out) {
  if (object && !text.empty())
    return convert::conflict(field + "_json", "does not go with " + field);
  if (!text.empty()) return parse_object(text, field + "_json", out);
  return object ? parse_object(*object, field, out) : Error();
}

// Text stays text, once it is known to be an object: some templates print it as it is.
Error set_arguments(const v1::ToolCall& call, const std::string& field, Json* out) {
  *out = Json::object();
  if (!call.arguments_json().empty() && !call.has_arguments())
    if (const auto parsed = parse_arguments(call.arguments_json()); !parsed.ok())
      return bad_field(field + "_json", parsed.status().message());
  TERN_REFUSE(set_object(call.has_arguments() ? &call.arguments() : nullptr, call.arguments_json(),
                         field, out));
  if (!call.arguments_json().empty()) *out = call.arguments_json();
  return {};
}

Error to_json(const v1::ToolCall& call, const std::string& field, Json* out) {
  if (call.name().empty()) return bad_field(field + ".name", "empty");
  Json arguments;
  TERN_REFUSE(set_arguments(call, field + ".arguments", &arguments));
  *out = Json::object();
  if (!call.id().empty()) (*out)["id"] = call.id();
  (*out)["type"] = "function";
  (*out)["function"] = Json{{"name", call.name()}, {"arguments", std::move(arguments)}};
  return {};
}

Error to_json(const v1::Tool& tool, const std::string& field, Json* out) {
  if (tool.name().empty()) return bad_field(field + ".name", "empty");
  Json function{{"name", tool.name()}};
  if (!tool.description().empty()) function["description"] = tool.description();
  Json parameters;
  TERN_REFUSE(set_object(tool.has_parameters() ? &tool.parameters() : nullptr,
                         tool.parameters_json(), field + ".parameters", &parameters));
  if (!parameters.is_null()) function["parameters"] = std::move(parameters);
  *out = Json{{"type", "function"}, {"function", std::move(function)}};
  return {};
}

Error to_json(const v1::ChatMessage& message, const std::string& field, Json* out);

template <class Messages>
Error to_array(const Messages& messages, const std::string& field, Json* out) {
  *out = Json::array();
  for (int i = 0; i < messages.size(); ++i)
    TERN_REFUSE(to_json(messages[i], field + "[" + std::to_string(i) + "]",
                        &out->emplace_back(Json::object())));
  return {};
}

// Null where a message consists of tool calls: templates that ask for that print nothing else of
// it. Beside calls one empty part is the empty text, which `content` cannot tell from none.
Error set_content(const v1::ChatMessage& message, const std::string& field, Json* out) {
  if (!message.content().empty() || message.tool_calls().empty()) *out = message.content();
  if (message.content_parts().empty()) return {};
  if (!message.content().empty())
    return convert::conflict(field + ".content_parts", "does not go with content");
  *out = Json::array();
  for (const v1::ContentPart& part : message.content_parts()) {
    if (!part.has_text())
      return bad_field(field + ".content_parts[" + std::to_string(out->size()) + "]", "empty");
    out->push_back({{"type", "text"}, {"text", part.text()}});
  }
  const bool is_empty = out->size() == 1 && message.content_parts(0).text().empty();
  if (is_empty && !message.tool_calls().empty()) *out = "";
  return {};
}

Error to_json(const v1::ChatMessage& message, const std::string& field, Json* out) {
  if (message.role().empty()) return bad_field(field + ".role", "empty");
  *out = Json{{"role", message.role()}};
  TERN_REFUSE(set_content(message, field, &(*out)["content"]));
  if (!message.name().empty()) (*out)["name"] = message.name();
  if (!message.tool_call_id().empty()) (*out)["tool_call_id"] = message.tool_call_id();
  if (message.tool_calls().empty()) return {};
  return to_array(message.tool_calls(), field + ".tool_calls", &(*out)["tool_calls"]);
}

constexpr const char* kVariables = "chat.template_variables";

Error set_variables(const v1::ChatInput& chat, Json* out) {
  const std::string field = kVariables;
  if (chat.has_template_variables())
    TERN_REFUSE(parse_object(chat.template_variables(), field, out));
  if (chat.template_variables_json().empty()) return {};
  Json more;
  TERN_REFUSE(parse_object(chat.template_variables_json(), field + "_json", &more));
  out->update(more);
  return {};
}

// v1::Tool knows neither the order of all keys nor `strict`. A client that has the tools as text
// (the HTTP gateway) adds them as a variable, and the template sees that.
Error set_tools(const v1::ChatInput& chat, Conversation* out) {
  if (chat.tools().empty()) return {};
  TERN_REFUSE(to_array(chat.tools(), "chat.tools", &out->tools));
  const auto written = out->variables.find("tools");
  if (written == out->variables.end() || !written->is_array() ||
      written->size() != out->tools.size())
    return {};
  out->tools = std::move(*written);
  out->variables.erase(written);
  return {};
}

Error check_variables(const Json& variables) {
  const std::string field = kVariables;
  for (const auto& [name, value] : variables.items())
    if (ChatRenderer::is_reserved(name) && !value.is_null())
      return bad_field(field + "." + name, "reserved: the request itself sets it");
  const Json documents = variables.value("documents", Json());
  const auto is_object = [](const Json& document) { return document.is_object(); };
  if (!documents.is_null() &&
      !(documents.is_array() && std::all_of(documents.begin(), documents.end(), is_object)))
    return bad_field(field + ".documents", "must be an array of objects");
  return {};
}

// What the model does not hear of would be ignored silently. An effort of none asks for what a
// model that knows no efforts does anyway.
Error check_is_used(const char* name, const Json& neutral, const Conversation& conversation,
                    const ChatRenderer& renderer) {
  const auto value = conversation.variables.find(name);
  if (value == conversation.variables.end() || value->is_null() || *value == neutral) return {};
  const auto chat = renderer.find(!conversation.tools.is_null());
  if (!chat.ok() || (*chat)->mentions(name)) return {};
  const std::string field = std::string("chat.template_variables.") + name;
  return convert::feature_disabled(
      field, field + ": the model's chat template does not use it (may be " + neutral.dump() + ")");
}

// Whether the last message is continued, and whether the prompt ends where an answer begins.
Error set_ending(const v1::ChatInput& chat, Conversation* out) {
  out->continue_final_message = chat.continue_final_message();
  if (chat.has_add_generation_prompt()) out->add_generation_prompt = chat.add_generation_prompt();
  if (out->continue_final_message && chat.add_generation_prompt())
    return convert::conflict("chat.continue_final_message",
                             "does not go with add_generation_prompt");
  return {};
}

ApiError render_error(const Status& status, const ChatRenderer& renderer) {
  if (status.code() == Code::kFailedPrecondition) {  // it is the tools, unless it is the template
    const std::string field = renderer.find(false).ok() ? "chat.tools" : "chat";
    return convert::feature_disabled(field, field + ": " + status.message());
  }
  ApiError error = bad_field("chat.messages", status.message());
  error.reason = "CHAT_TEMPLATE";
  return error;
}

}  // namespace

std::optional<ApiError> render_chat(const v1::ChatInput& chat, const Engine& engine,
                                    std::string* text) {
  const ChatRenderer* const renderer = engine.chat_renderer();
  if (!renderer)
    return convert::feature_disabled(
        "chat", "chat: the model has no chat template; send text or token_ids");
  if (chat.messages().empty()) return bad_field("chat.messages", "empty");
  Conversation conversation;
  TERN_REFUSE(to_array(chat.messages(), "chat.messages", &conversation.messages));
  TERN_REFUSE(set_variables(chat, &conversation.variables));
  TERN_REFUSE(set_tools(chat, &conversation));
  TERN_REFUSE(check_variables(conversation.variables));
  TERN_REFUSE(set_ending(chat, &conversation));
  TERN_REFUSE(check_is_used("reasoning_effort", "none", conversation, *renderer));
  TERN_REFUSE(check_is_used("documents", Json::array(), conversation, *renderer));
  Result<std::string> rendered = renderer->render(conversation);
  if (!rendered.ok()) return render_error(rendered.status(), *renderer);
  *text = *std::move(rendered);
  return {};
}

}  // namespace tern
