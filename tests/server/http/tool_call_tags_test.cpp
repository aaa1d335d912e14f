// Which tags in an answer are special tokens.
#include "server/http/tool_call_tags.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

using namespace tern::http;

namespace {

// `tokens` as they are; a tag that is a special token stands with a '!' in front. The text comes
// `delay` bytes behind them.
std::string marked(const std::vector<std::string>& tokens, size_t delay) {
  TagMarker marker;
  std::string out, text;
  for (const std::string& token : tokens) {
    const bool is_tag = token.starts_with("!");
    if (is_tag)
      marker.add_tag();
    else
      marker.add_token(token);
    text += is_tag ? token.substr(1) : token;
    const size_t ready = text.size() - std::min(text.size(), delay);
    out += marker.push(text.substr(0, ready));
    text.erase(0, ready);
  }
  out += marker.push(text);
  out += marker.finish();
  for (size_t at; (at = out.find_first_of("\xFE\xFF")) != std::string::npos;)
    out.replace(at, 1, out[at] == kHiddenOpen ? "[open]" : "[close]");
  return out;
}

}  // namespace

TEST_CASE("tags that the model spelled are told from special tokens", "[http]") {
  for (const size_t delay : {0, 1, 5, 11, 30, 1000}) {
    CAPTURE(delay);
    CHECK(marked({"a", " <tool", "_call> ", "b"}, delay) == "a <tool_call> b");
    CHECK(marked({"a", "!<tool_call>", "b"}, delay) == "a[open]b");
    CHECK(marked({"</tool_call>", "!</tool_call>", "</", "tool_call>"}, delay) ==
          "</tool_call>[close]</tool_call>");
    CHECK(marked({"<tool_call></tool_call>", "!<tool_call>", "<tool_call", "!</tool_call>", ">"},
                 delay) == "<tool_call></tool_call>[open]<tool_call[close]>");
    CHECK(marked({"<", "!<tool_call>", "tool_call>", "<<tool_", "call></tool"}, delay) ==
          "<[open]tool_call><<tool_call></tool");
  }
}
