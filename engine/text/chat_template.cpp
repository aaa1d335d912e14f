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

// The parts of a content as one text; nothing where they are no such parts.
std::optional<std::string> text_of_parts(const jinja::Value& content) {
  if (!content.is_list()) return {};
  std::optional<std::string> text;
  for (const jinja::Value& part : content.list().items) {
    const jinja::Value* found = part.is_dict() ? part.dict().find(std::string("text")) : nullptr;
    if (found == nullptr || !found->is_string()) return {};
    text = (text ? *text + "\n" : "") + found->string();
  }
  return text;
}

// What a content prints as where a template takes no notice of its form: one that is null as
// nothing, since no model was taught the word "None" there; one of parts, which may be but this
// program's way to show a string to a template that loops over parts elsewhere, as their text.
Result<jinja::Value> make_content(const jinja::Value& content) {
  if (content.is_none()) return jinja::Value::blank_none();
  std::optional<std::string> text = text_of_parts(content);
  if (!text) return content;
  jinja::List list = content.list();
  list.text = std::move(text);
  return jinja::make_list(std::move(list));
}

template <class Json>
Result<jinja::Value> make_messages(const Json& messages) {
  std::vector<jinja::Value> values;
  for (const Json& message : messages) {
    TERN_ASSIGN(jinja::Value value, jinja::from_json(message));
    const jinja::Value* content =
        value.is_dict() ? value.dict().find(std::string("content")) : nullptr;
    if (content != nullptr) {
      TERN_ASSIGN(jinja::Value made, make_content(*content));
      jinja::Dict dict = value.dict();
      dict.set(std::string("content"), std::move(made));
      TERN_ASSIGN(value, jinja::make_dict(std::move(dict)));
    }
    values.push_back(std::move(value));
  }
  return jinja::make_list(std::move(values));
}

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
  auto value = make_messages(messages);
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
