#include "engine/text/chat_template.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/json.h"
#include "engine/text/jinja/parser.h"

namespace tern {

struct ChatTemplate::Program {
  std::string source;
  jinja::Body body;
  bool uses_tools = false;
};

Result<jinja::Variables> make_variables(const nlohmann::ordered_json& variables) {
  jinja::Variables out;
  if (!variables.is_object() && !variables.is_null())
    return invalid_argument("the variables are not an object");
  for (const auto& [name, member] : variables.items()) {
    auto value = jinja::from_json(member);
    if (!value.ok()) return value.status().with_context("variable " + jinja::string_repr(name));
    out[name] = *std::move(value);
  }
  return out;
}

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  if (const auto offset = find_invalid_utf8(source))
    return invalid_argument("the chat template is not UTF-8 at byte " + std::to_string(*offset));
  auto body = jinja::parse(source);
  if (!body.ok()) return body.status().with_context("chat template");
  const bool uses_tools = jinja::reads_variable(*body, "tools");
  return ChatTemplate(
      std::make_unique<Program>(Program{std::string(source), *std::move(body), uses_tools}));
}

bool ChatTemplate::uses_tools() const {
  return program_->uses_tools;
}

bool ChatTemplate::mentions(std::string_view name) const {
  return program_->source.find(name) != std::string::npos;
}

Result<std::string> ChatTemplate::render(const jinja::Value& messages, bool add_generation_prompt,
                                         jinja::Variables variables) const {
  variables["messages"] = messages;
  variables["add_generation_prompt"] = jinja::Value(add_generation_prompt);
  return jinja::Interpreter(std::move(variables)).run(program_->body);
}

Result<std::string> ChatTemplate::render(const nlohmann::ordered_json& messages,
                                         bool add_generation_prompt,
                                         const nlohmann::ordered_json& variables) const {
  if (!messages.is_array()) return invalid_argument("the messages are not an array");
  TERN_ASSIGN(jinja::Variables globals, make_variables(variables));
  const auto value = jinja::from_json(messages);
  if (!value.ok()) return value.status().with_context("messages");
  return render(*value, add_generation_prompt, std::move(globals));
}

}  // namespace tern
