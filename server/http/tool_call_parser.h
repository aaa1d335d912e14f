// Finds the tool calls in a model's answer, written as Qwen 2.5 and Hermes models write them:
// <tool_call>{"name": …, "arguments": {…}}</tool_call>.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern::http {

struct ToolCall {
  std::string name;
  std::string arguments;  ///< a JSON object as text
};

/// What came of a piece of text: text to show, then calls.
struct ParsedText {
  std::string text;
  std::vector<ToolCall> calls;
};

/// The pieces of an answer, as they come, or the answer at once: however it is cut, the texts
/// concatenated and the calls are the same. What is no valid call stays text, as it was written.
/// White space around calls is dropped. One thread.
class ToolCallParser {
 public:
  /// What is certain after `piece`: a tag that may have begun is held back.
  ParsedText push(std::string_view piece);

  /// The rest. A call that only lacks its closing tag counts.
  ParsedText finish();

  bool has_calls() const { return num_calls_ > 0; }

 private:
  void add_text(std::string_view text, ParsedText* out);
  void close_call(bool tag_came, ParsedText* out);

  std::string held_;     // of unknown meaning: may begin a tag, or holds a call that is not closed
  std::string blank_;    // white space that is dropped where a call comes next
  bool inside_ = false;  // after an opening tag: held_ is the call
  bool after_call_ = false;  // nothing but white space since the last call
  int num_calls_ = 0;
};

}  // namespace tern::http
