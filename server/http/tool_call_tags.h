// The tags around tool calls, and which of them in an answer are special tokens.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace tern::http {

/// What stands around a call.
inline constexpr std::string_view kToolCallOpen = "<tool_call>", kToolCallClose = "</tool_call>";

/// These bytes, which no UTF-8 text has, stand in place of a tag that the client does not see.
inline constexpr char kHiddenOpen = '\xFE', kHiddenClose = '\xFF';

/// How many bytes at the end of `text` may begin `tag`.
size_t partial_tag(std::string_view text, std::string_view tag);

/// Puts kHiddenOpen and kHiddenClose in place of the tags that are special tokens; tags that the
/// model spelled with ordinary tokens stay. Text never comes before its tokens, but may come after
/// them, so tags are told apart by their order. One thread.
class TagMarker {
 public:
  /// An ordinary token of the answer, by the bytes that it adds to the text.
  void add_token(std::string_view bytes);
  /// A special token that is one of the tags.
  void add_tag();

  /// What is certain of the text up to here: a tag that may have begun is held back.
  std::string push(std::string_view text);
  /// The rest.
  std::string finish() { return std::move(held_); }

 private:
  std::string spelled_;          // the end of the ordinary tokens' bytes: it may begin a tag
  std::deque<bool> is_special_;  // the tags that the tokens hold and the text does not hold yet
  std::string held_;             // the end of the text: it may begin a tag
};

}  // namespace tern::http
