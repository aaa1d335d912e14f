// Finds the tool calls in a model's answer, written as Qwen 2.5 and Hermes models write them:
// <tool_call>{"name": …, "arguments": {…}}</tool_call>; "parameters" is as good as "arguments".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/http/tool_call_tags.h"

namespace tern::http {

struct ToolCall {
  std::string name;
  std::string arguments;  ///< a JSON object, as the model wrote it
};

/// What came of a piece of text: text to show, then calls.
struct ParsedText {
  std::string text;
  std::vector<ToolCall> calls;
};

/// The pieces of an answer, as they come, or the answer at once: however it is cut, the texts
/// concatenated and the calls are the same. What is no valid call stays text, as it was written.
/// kHiddenOpen and kHiddenClose are tags that stand in no text. White space around calls is
/// dropped. A tag within a string of a call's JSON is part of that string. One thread.
class ToolCallParser {
 public:
  /// What is certain after `piece`: a tag that may have begun is held back.
  ParsedText push(std::string_view piece);

  /// The rest. A call that only lacks its closing tag counts.
  ParsedText finish();

  bool has_calls() const { return num_calls_ > 0; }

 private:
  // Each takes what is certain off held_, and tells whether to look again.
  bool take_text(ParsedText* out);
  bool take_call(ParsedText* out);

  void add_text(std::string_view text, ParsedText* out);
  void open_call(std::string_view tag);
  void close_call(size_t end, std::string_view tag, ParsedText* out);
  bool add_call(const std::string& text, ParsedText* out);

  std::string held_;     // of unknown meaning: may begin a tag, or holds a call that is not closed
  std::string blank_;    // white space that is dropped where a call comes next
  bool inside_ = false;  // after an opening tag: held_ is the call
  std::string opening_;  // that tag
  size_t scanned_ = 0;   // of held_, within a call
  bool is_object_ = false, in_string_ = false, escaped_ = false;  // the JSON there
  bool after_call_ = false;  // nothing but white space since the last call
  int num_calls_ = 0;
};

}  // namespace tern::http
