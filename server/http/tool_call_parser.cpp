#include "server/http/tool_call_parser.h"

#include <algorithm>
#include <optional>

#include "server/http/json.h"

namespace tern::http {
namespace {

constexpr std::string_view kOpen = "<tool_call>", kClose = "</tool_call>";
constexpr const char* kBlank = " \t\r\n";

// How many bytes at the end of `text` may begin `tag`.
size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
    if (text.ends_with(tag.substr(0, n))) return n;
  return 0;
}

std::optional<ToolCall> parse_call(const std::string& text) {
  bool too_deep = false;
  const Json call = Json::parse(text, limit_depth(&too_deep), false);
  if (too_deep || !call.is_object()) return {};
  const auto name = call.find("name"), arguments = call.find("arguments");
  if (name == call.end() || !name->is_string()) return {};
  ToolCall out{.name = name->get<std::string>(), .arguments = "{}"};
  if (arguments == call.end()) return out;
  if (arguments->is_string())
    out.arguments = arguments->get<std::string>();
  else if (arguments->is_object())
    out.arguments = arguments->dump();
  else
    return {};
  return out;
}

}  // namespace

ParsedText ToolCallParser::push(std::string_view piece) {
  held_ += piece;
  ParsedText out;
  for (;;) {
    const std::string_view tag = inside_ ? kClose : kOpen;
    const size_t at = held_.find(tag);
    if (at == std::string::npos) break;
    const std::string rest = held_.substr(at + tag.size());
    held_.resize(at);
    if (inside_) {
      close_call(true, &out);
    } else {
      add_text(held_, &out);
      inside_ = true;
    }
    held_ = rest;
  }
  if (inside_) return out;
  const size_t certain = held_.size() - partial_tag(held_, kOpen);
  add_text(std::string_view(held_).substr(0, certain), &out);
  held_.erase(0, certain);
  return out;
}

ParsedText ToolCallParser::finish() {
  ParsedText out;
  if (inside_)
    close_call(false, &out);
  else
    add_text(held_, &out);
  held_.clear();
  if (!after_call_) out.text += blank_;
  blank_.clear();
  return out;
}

// White space at the end waits: a call after it drops it.
void ToolCallParser::add_text(std::string_view text, ParsedText* out) {
  const size_t last = text.find_last_not_of(kBlank);
  if (last == std::string_view::npos) {
    blank_ += text;
    return;
  }
  if (after_call_) {
    blank_.clear();
    text.remove_prefix(text.find_first_not_of(kBlank));
  }
  const size_t kept = text.find_last_not_of(kBlank) + 1;
  out->text += std::exchange(blank_, std::string(text.substr(kept)));
  out->text += text.substr(0, kept);
  after_call_ = false;
}

void ToolCallParser::close_call(bool tag_came, ParsedText* out) {
  inside_ = false;
  if (auto call = parse_call(held_)) {
    out->calls.push_back(*std::move(call));
    blank_.clear();
    after_call_ = true;
    ++num_calls_;
  } else {
    add_text(std::string(kOpen) + held_ + std::string(tag_came ? kClose : ""), out);
  }
}

}  // namespace tern::http
