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
  TemplateTraits traits;
};

namespace {

template <class Json>
Result<jinja::Variables> make_variables(const Json& messages, bool add_generation_prompt,
                                        const Json& variables) {
  jinja::Variables globals;
  if (!variables.is_object() && !variables.is_null())
    return invalid_argument("the variables are not an object");
  for (const auto& [name, member] : variables.items()) {
    auto value = jinja::from_json(member);
    if (!value.ok()) return value.status().with_context("variable " + jinja::string_repr(name));
    globals[name] = *std::move(value);
  }
  if (!messages.is_array()) return invalid_argument("the messages are not an array");
  auto value = jinja::from_json(messages);
  if (!value.ok()) return value.status().with_context("messages");
  globals["messages"] = *std::move(value);
  globals["add_generation_prompt"] = jinja::Value(add_generation_prompt);
  return globals;
}

template <class Json>
Result<std::string> render_program(const jinja::Body& body, const Json& messages,
                                   bool add_generation_prompt, const Json& variables) {
  TERN_ASSIGN(jinja::Variables globals, make_variables(messages, add_generation_prompt, variables));
  return jinja::Interpreter(std::move(globals)).run(body);
}

}  // namespace

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  if (const auto offset = find_invalid_utf8(source))
    return invalid_argument("the chat template is not UTF-8 at byte " + std::to_string(*offset));
  auto body = jinja::parse(source);
  if (!body.ok()) return body.status().with_context("chat template");
  const TemplateTraits traits = find_template_traits(*body);
  return ChatTemplate(
      std::make_unique<Program>(Program{std::string(source), *std::move(body), traits}));
}

const TemplateTraits& ChatTemplate::traits() const {
  return program_->traits;
}

bool ChatTemplate::mentions(std::string_view name) const {
  return program_->source.find(name) != std::string::npos;
}

Result<std::string> ChatTemplate::render(const nlohmann::json& messages, bool add_generation_prompt,
                                         const nlohmann::json& variables) const {
  return render_program(program_->body, messages, add_generation_prompt, variables);
}

Result<std::string> ChatTemplate::render(const nlohmann::ordered_json& messages,
                                         bool add_generation_prompt,
                                         const nlohmann::ordered_json& variables) const {
  return render_program(program_->body, messages, add_generation_prompt, variables);
}

}  // namespace tern
