#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

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
  *out = Json::parse(text, limit_depth, false);
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

Error to_json(const v1::ToolCall& call, const std::string& field, Json* out) {
  if (call.name().empty()) return bad_field(field + ".name", "empty");
  Json arguments = Json::object();
  TERN_REFUSE(set_object(call.has_arguments() ? &call.arguments() : nullptr, call.arguments_json(),
                         field + ".arguments", &arguments));
  *out = Json{{"type", "function"}};
  if (!call.id().empty()) (*out)["id"] = call.id();
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

Error to_json(const v1::ChatMessage& message, const std::string& field, Json* out) {
  if (message.role().empty()) return bad_field(field + ".role", "empty");
  *out = Json{{"role", message.role()}, {"content", message.content()}};
  if (!message.name().empty()) (*out)["name"] = message.name();
  if (!message.tool_call_id().empty()) (*out)["tool_call_id"] = message.tool_call_id();
  if (message.tool_calls().empty()) return {};
  return to_array(message.tool_calls(), field + ".tool_calls", &(*out)["tool_calls"]);
}

Error template_variables(const v1::ChatInput& chat, const Engine& engine, Json* variables) {
  // As transformers does: templates ask whether these are none.
  *variables = Json{{"tools", nullptr}, {"documents", nullptr}};
  const Json own = Json::parse(engine.chat_template_variables(), nullptr, false);
  if (own.is_object()) variables->update(own);
  if (!chat.has_template_variables()) return {};
  Json extra;
  TERN_REFUSE(parse_object(chat.template_variables(), "chat.template_variables", &extra));
  variables->update(extra);
  return {};
}

// An effort of which the model does not hear would be ignored silently. That of none asks for what
// such a model does anyway.
Error check_reasoning_effort(const Json& variables, const Engine& engine) {
  constexpr const char* kName = "reasoning_effort";
  const auto effort = variables.find(kName);
  if (effort == variables.end() || effort->is_null() || *effort == "none") return {};
  if (engine.chat_template()->mentions(kName)) return {};
  const std::string field = std::string("chat.template_variables.") + kName;
  return convert::feature_disabled(
      field, field + ": the model's chat template does not use it (may be \"none\")");
}

Error render(const Engine& engine, const Json& messages, bool add_prompt, const Json& variables,
             std::string* text) {
  Result<std::string> rendered = engine.chat_template()->render(messages, add_prompt, variables);
  if (!rendered.ok()) {
    ApiError error = bad_field("chat.messages", rendered.status().message());
    error.code = rendered.status().code();
    error.reason = "CHAT_TEMPLATE";
    return error;
  }
  *text = *std::move(rendered);
  return {};
}

}  // namespace

std::optional<ApiError> render_chat(const v1::ChatInput& chat, const Engine& engine,
                                    std::string* text) {
  if (!engine.chat_template())
    return convert::feature_disabled(
        "chat", "chat: the model has no chat template; send text or token_ids");
  if (chat.messages().empty()) return bad_field("chat.messages", "empty");
  Json messages, variables, tools;
  TERN_REFUSE(to_array(chat.messages(), "chat.messages", &messages));
  TERN_REFUSE(template_variables(chat, engine, &variables));
  TERN_REFUSE(check_reasoning_effort(variables, engine));
  TERN_REFUSE(to_array(chat.tools(), "chat.tools", &tools));
  const bool add_prompt = !chat.has_add_generation_prompt() || chat.add_generation_prompt();
  TERN_REFUSE(render(engine, messages, add_prompt, variables, text));
  if (tools.empty()) return {};

  variables["tools"] = std::move(tools);
  const std::string without = std::move(*text);
  TERN_REFUSE(render(engine, messages, add_prompt, variables, text));
  if (*text != without) return {};
  return convert::feature_disabled("chat.tools",
                                   "chat.tools: the model's chat template has no place for tools");
}

}  // namespace tern
