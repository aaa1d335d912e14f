#include "engine/text/chat_renderer.h"

#include <algorithm>

#include "engine/text/jinja/strings.h"
#include "engine/text/message_forms.h"

namespace tern {
namespace {

using Json = Conversation::Json;

constexpr const char* kDefault = "default";
constexpr const char* kToolUse = "tool_use";

// Transformers marks by this where the last message ends, whatever the template puts behind.
constexpr std::string_view kEndMark = "CONTINUE_FINAL_MESSAGE_TAG ";

bool is_text_part(const Json& part) {
  return part.is_object() && part.contains("text") && part["text"].is_string();
}

// The text that the last message ends with: its content, or the last part of it.
Result<std::string*> final_text(Json& messages) {
  Json& content = messages.back()["content"];
  if (content.is_string()) return content.get_ptr<std::string*>();
  if (content.is_array())
    for (auto part = content.rbegin(); part != content.rend(); ++part)
      if (is_text_part(*part)) return (*part)["text"].get_ptr<std::string*>();
  return invalid_argument("continue_final_message: the last message has no text");
}

// What was rendered, up to the mark in it. `text`: of the last message, without the mark.
Result<std::string> cut_at_mark(std::string rendered, const std::string& text) {
  const std::string_view mark = jinja::strip(kEndMark);
  const size_t at = rendered.rfind(mark);
  if (at == std::string::npos || rendered.find(jinja::strip(text)) == std::string::npos)
    return invalid_argument(
        "continue_final_message: the chat template changes or leaves out the last message");
  const bool keeps_spaces = rendered.compare(at, kEndMark.size(), kEndMark) == 0;
  rendered.resize(at);
  return keeps_spaces ? rendered : std::string(jinja::strip_right(rendered));
}

Status check_variables(const Json& variables) {
  for (const auto& [name, value] : variables.items())
    if (ChatRenderer::is_reserved(name) && !value.is_null())
      return invalid_argument("the variable '" + name + "' is reserved: the request sets it");
  const Json documents = variables.value("documents", Json());
  const auto is_object = [](const Json& document) { return document.is_object(); };
  const bool is_list = documents.is_array() || documents.is_null();
  if (!is_list || !std::all_of(documents.begin(), documents.end(), is_object))
    return invalid_argument("the variable 'documents' must be an array of objects");
  return {};
}

// Refuses what transformers refuses.
Status check_continued(const Conversation& conversation, bool add_prompt) {
  if (add_prompt)
    return invalid_argument("continue_final_message does not go with add_generation_prompt");
  const Json& messages = conversation.messages;
  if (messages.empty() || !messages.back().is_object() ||
      messages.back().value("content", Json()).is_null())
    return invalid_argument("continue_final_message: the last message has no content");
  return {};
}

// Renders `messages` in the form that the template understands.
Result<std::string> render_in_form(const ChatTemplate& chat, const Json& messages, bool add_prompt,
                                   const jinja::Variables& variables) {
  const auto render = [&](const jinja::Value& values) {
    return chat.render(values, add_prompt, variables);
  };
  TERN_ASSIGN(MessageForms forms, MessageForms::create(messages));
  TERN_TRY(forms.choose(render));
  TERN_ASSIGN(const jinja::Value values, forms.values());
  Result<std::string> text = render(values);
  if (text.ok() || !forms.is_changed()) return text;
  TERN_ASSIGN(const jinja::Value as_sent, forms.values_as_sent());
  Result<std::string> other = render(as_sent);
  return other.ok() ? other : text;
}

Status refuse(std::string message) {
  return {Code::kFailedPrecondition, std::move(message)};
}

}  // namespace

ChatRenderer::ChatRenderer(const std::vector<ChatTemplateSource>& sources, Json special_tokens)
    : special_tokens_(std::move(special_tokens)) {
  for (const ChatTemplateSource& source : sources) {
    Result<ChatTemplate> parsed = ChatTemplate::parse(source.text);
    if (!parsed.ok()) parsed = parsed.status().with_context(source.where);
    templates_.insert_or_assign(source.name, std::move(parsed));
  }
}

std::vector<Status> ChatRenderer::problems() const {
  std::vector<Status> out;
  for (const auto& [name, parsed] : templates_)
    if (!parsed.ok()) out.push_back(parsed.status());
  if (const auto found = find(false); out.empty() && !found.ok()) out.push_back(found.status());
  return out;
}

Result<const ChatTemplate*> ChatRenderer::find(bool with_tools) const {
  auto found = with_tools ? templates_.find(kToolUse) : templates_.end();
  if (found == templates_.end()) found = templates_.find(kDefault);
  if (found == templates_.end()) {
    std::string names;
    for (const auto& [name, parsed] : templates_) names += (names.empty() ? "" : ", ") + name;
    return refuse("of the model's chat templates (" + names + ") none is the default");
  }
  if (found->second.ok()) return &*found->second;
  return refuse("the model's chat template cannot be used: " + found->second.status().message());
}

Result<std::string> ChatRenderer::render(const Conversation& conversation) const {
  TERN_ASSIGN(const ChatTemplate* const chat, find(!conversation.tools.is_null()));
  if (!conversation.tools.empty() && !chat->uses_tools())
    return refuse("the model's chat template has no place for tools");
  TERN_TRY(check_variables(conversation.variables));

  Json variables{{"tools", nullptr},
                 {"documents", nullptr}};  // templates ask whether these are none
  variables.update(special_tokens_);
  variables.update(conversation.variables);
  variables["tools"] = conversation.tools;
  const bool continues = conversation.continue_final_message;
  const bool add_prompt = conversation.add_generation_prompt.value_or(!continues);
  if (continues) TERN_TRY(check_continued(conversation, add_prompt));
  Json messages = conversation.messages;
  TERN_ASSIGN(const jinja::Variables globals, make_variables(variables));
  if (!continues) return render_in_form(*chat, messages, add_prompt, globals);

  TERN_ASSIGN(std::string* const last, final_text(messages));
  const std::string text = *last;
  *last += kEndMark;
  TERN_ASSIGN(std::string rendered, render_in_form(*chat, messages, false, globals));
  return cut_at_mark(std::move(rendered), text);
}

bool ChatRenderer::is_reserved(std::string_view name) {
  constexpr std::string_view kReserved[] = {
      "messages",      "tools",   "add_generation_prompt", "continue_final_message",
      "chat_template", "tokenize"};
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

}  // namespace tern
