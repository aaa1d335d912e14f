// A model's chat templates and special tokens: what turns a conversation into a prompt.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/chat_template.h"

namespace tern {

/// A conversation as OpenAI's API writes it; keys keep the order in which a template prints them.
struct Conversation {
  using Json = nlohmann::ordered_json;

  /// Array of {role, content, tool_calls, …}. A content is a string, null, or an array of parts
  /// {"type": "text", "text": …}; the arguments of a tool call are an object, or its JSON as text.
  Json messages = Json::array();
  Json tools = nullptr;  ///< array, or null where none are offered
  /// Further variables of the template; they stand before the model's special tokens.
  Json variables = Json::object();
  std::optional<bool> add_generation_prompt = {};  ///< unset: unless the last message is continued
  /// The prompt ends with the text of the last message, so that the answer goes on with it.
  bool continue_final_message = false;
};

/// The text of a chat template, as it was found.
struct ChatTemplateSource {
  std::string name;  ///< "default", "tool_use", …
  std::string text;
  std::string where;  ///< file and key, for errors
};

/// Immutable; any thread.
class ChatRenderer {
 public:
  /// Compiles `sources`; of two with one name the later holds. `special_tokens`: object from
  /// variable (bos_token, …) to text.
  ChatRenderer(const std::vector<ChatTemplateSource>& sources,
               nlohmann::ordered_json special_tokens);

  /// Why a template cannot be used, one for each that cannot. Such a template costs the
  /// conversations that need it.
  std::vector<Status> problems() const;

  /// The template that transformers takes: `tool_use` where there are tools and the model has one,
  /// else `default`. kFailedPrecondition where it cannot be compiled or the model has none.
  Result<const ChatTemplate*> find(bool with_tools) const;

  /// Content and arguments are brought to the form that the template understands (MessageForms): a
  /// string as one text part or parts joined by line breaks, arguments as object or text. A null
  /// content is none, and prints as nothing. kFailedPrecondition as find(), and where there are
  /// tools but the template has no place for them; kInvalidArgument where the template refuses the
  /// messages, a variable is reserved, or the last message cannot be continued.
  Result<std::string> render(const Conversation& conversation) const;

  /// Whether `name` is set by the conversation itself and so cannot be a variable of it.
  static bool is_reserved(std::string_view name);

 private:
  std::map<std::string, Result<ChatTemplate>, std::less<>> templates_;
  nlohmann::ordered_json special_tokens_;
};

}  // namespace tern
