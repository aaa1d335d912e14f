#include <algorithm>

#include "base/big_integers.h"
#include "server/http/generate_request.h"

namespace tern::http {
namespace {

// JSON that is handed on as text, with its integers as they were written.
std::string as_text(const Json& json) {
  return unquote_big_integers(json.dump());
}

std::string element(const std::string& name, size_t i) {
  return name + "[" + std::to_string(i) + "]";
}

// "text", or [{"type": "text", "text": "…"}, …]
void read_content(Fields& message, v1::ChatMessage* out) {
  const Json* content = message.find("content");
  if (!content) return;
  if (*content == "" && message.has("tool_calls"))  // an empty `content` beside calls means none
    return out->add_content_parts()->set_text("");
  if (content->is_string()) return out->set_content(content->get<std::string>());
  if (!content->is_array())
    return message.fail("content", "must be a string or an array of text parts");
  for (size_t i = 0; i < content->size() && message.ok(); ++i) {
    Fields part((*content)[i], message.full_name(element("content", i)), message);
    const std::string type = part.string("type").value_or("");
    if (part.ok() && type != "text") {
      message.fail(unsupported(part.full_name("type"), "only text, is '" + type + "'"));
      break;
    }
    out->add_content_parts()->set_text(part.string("text").value_or(""));
    part.ignore({"cache_control", "prompt_cache_breakpoint"});
    if (auto error = part.finish()) message.fail(*std::move(error));
  }
}

// {"id", "type": "function", "function": {"name", "arguments": "<JSON>"}}
void read_tool_call(const Json& in, const std::string& path, Fields& message, v1::ToolCall* out) {
  Fields call(in, path, message);
  out->set_id(call.string("id").value_or(""));
  call.only("type", {"function"}, "only functions");
  call.ignore({"index"});
  if (const Json* function = call.find("function")) {
    Fields members(*function, path + ".function", call);
    out->set_name(members.string("name").value_or(""));
    members.ignore({"parsed_arguments"});  // openai-python's copy of `arguments`
    // Text as OpenAI has it, or the object itself.
    if (const Json* arguments = members.find("arguments"))
      out->set_arguments_json(arguments->is_string() ? arguments->get<std::string>()
                                                     : as_text(*arguments));
    if (auto error = members.finish()) call.fail(*std::move(error));
  }
  if (auto error = call.finish()) message.fail(*std::move(error));
}

void read_message(const Json& in, const std::string& path, Fields& body, v1::ChatMessage* out) {
  Fields message(in, path, body);
  std::string role = message.string("role").value_or("");
  if (role == "developer") role = "system";  // OpenAI's newer name of it; templates know the old
  out->set_role(std::move(role));
  read_content(message, out);
  out->set_name(message.string("name").value_or(""));
  out->set_tool_call_id(message.string("tool_call_id").value_or(""));
  if (const Json* calls = message.find("tool_calls")) {
    if (!calls->is_array()) message.fail("tool_calls", "must be an array");
    for (size_t i = 0; calls->is_array() && i < calls->size(); ++i)
      read_tool_call((*calls)[i], path + "." + element("tool_calls", i), message,
                     out->add_tool_calls());
  }
  // An answer of this or another server, sent back as it came. `parsed` is openai-python's copy of
  // the content.
  message.ignore({"id", "cache_control", "parsed"});
  static const std::vector<Json> kNothing{"", Json::array(), Json::object()};
  for (const char* name :
       {"refusal", "audio", "function_call", "annotations", "reasoning_content", "reasoning",
        "reasoning_details", "thinking_blocks", "images", "provider_specific_fields"})
    message.only(name, kNothing, "has no place in the prompt");
  if (auto error = message.finish()) body.fail(*std::move(error));
}

// {"type": "function", "function": {"name", "description", "parameters"}}
void read_tool(const Json& in, const std::string& path, Fields& body, v1::Tool* out) {
  Fields tool(in, path, body);
  tool.only("type", {"function"}, "only functions");
  tool.only("defer_loading", {false}, "the template sees all tools");
  tool.ignore({"cache_control"});
  tool.boolean("strict");  // OpenAI's other API has it here; as that of the function
  const Json* function = tool.find("function");
  if (!function) {
    tool.fail("function", "missing");
  } else {
    Fields members(*function, path + ".function", tool);
    out->set_name(members.string("name").value_or(""));
    out->set_description(members.string("description").value_or(""));
    if (const Json* parameters = members.find("parameters")) {
      if (!parameters->is_object()) members.fail("parameters", "must be an object");
      out->set_parameters_json(as_text(*parameters));
    }
    members.boolean("strict");  // the answer is held to no schema, as docs/http-api.md says
    members.only("defer_loading", {false}, "the template sees all tools");
    members.ignore({"cache_control"});
    if (auto error = members.finish()) tool.fail(*std::move(error));
  }
  if (auto error = tool.finish()) body.fail(*std::move(error));
}

// "auto" leaves it to the model; of "none" it does not hear of the tools.
bool may_call_tools(Fields& body) {
  const Json* choice = body.find("tool_choice");
  if (!choice || *choice == "auto") return true;
  if (*choice == "none") return false;
  if (*choice == "required" || choice->is_object())
    body.fail(unsupported("tool_choice", "only none and auto: the model cannot be made to call"));
  else
    body.fail("tool_choice", "must be none or auto");
  return false;
}

void read_tools(Fields& body, v1::ChatInput* out, bool* wants_tools) {
  const bool may_call = may_call_tools(body);
  const Json* tools = body.find("tools");
  *wants_tools = tools && may_call && !tools->empty();
  if (!tools) return;
  if (!tools->is_array()) return body.fail("tools", "must be an array");
  for (size_t i = 0; i < tools->size() && body.ok(); ++i)
    read_tool((*tools)[i], element("tools", i), body, out->add_tools());
  if (!may_call) out->clear_tools();
}

// Those of the members `names` that hold something, in their order.
Json members_of(const Json& object, std::initializer_list<const char*> names) {
  Json out = Json::object();
  for (const auto& [key, value] : object.items())
    if (!value.is_null() && std::find(names.begin(), names.end(), key) != names.end())
      out[key] = value;
  return out;
}

// The tools as the client wrote them, less what the template must not see.
Json written_tools(const Json& tools) {
  Json out = Json::array();
  for (const Json& tool : tools) {
    Json& written = out.emplace_back(members_of(tool, {"type", "function"}));
    written["function"] =
        members_of(tool["function"], {"name", "description", "parameters", "strict"});
  }
  return out;
}

// Templates print documents and tools: as text their keys keep the client's order, which v1::Tool
// has no place for.
void read_variables(Fields& body, v1::ChatInput* out) {
  Json variables = Json::object();
  if (const Json* documents = body.find("documents")) {
    if (!documents->is_array()) return body.fail("documents", "must be an array of objects");
    variables["documents"] = *documents;
  }
  if (const Json* more = body.find("chat_template_kwargs")) {
    if (!more->is_object()) return body.fail("chat_template_kwargs", "must be an object");
    variables.update(*more);
  }
  if (!out->tools().empty() && body.ok()) {
    if (!variables.value("tools", Json()).is_null())
      return body.fail("chat_template_kwargs.tools", "reserved: the request itself sets it");
    variables["tools"] = written_tools(*body.find("tools"));
  }
  if (!variables.empty()) out->set_template_variables_json(as_text(variables));
}

// A variable of the template, as vLLM and SGLang have it; chat_template_kwargs go first.
void read_reasoning_effort(Fields& body, v1::ChatInput* out) {
  const auto effort = body.string("reasoning_effort");
  if (!effort) return;
  auto& variables = *out->mutable_template_variables()->mutable_fields();
  google::protobuf::Value value;
  value.set_string_value(*effort);
  variables.insert({"reasoning_effort", value});
  if (*effort != "none") return;
  value.set_bool_value(false);
  for (const char* name : {"enable_thinking", "thinking"}) variables.insert({name, value});
}

}  // namespace

void read_chat(Fields& fields, v1::ChatInput* out, bool* wants_tools) {
  const Json* messages = fields.find("messages");
  if (!messages) return fields.fail("messages", "missing");
  if (!messages->is_array()) return fields.fail("messages", "must be an array");
  for (size_t i = 0; i < messages->size() && fields.ok(); ++i)
    read_message((*messages)[i], element("messages", i), fields, out->add_messages());
  read_tools(fields, out, wants_tools);
  read_variables(fields, out);
  read_reasoning_effort(fields, out);
  if (const auto v = fields.boolean("add_generation_prompt")) out->set_add_generation_prompt(*v);
  if (const auto v = fields.boolean("continue_final_message")) out->set_continue_final_message(*v);
}

}  // namespace tern::http
