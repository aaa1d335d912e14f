#include "server/http/tool_call_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/http/json.h"

namespace tern::http {
namespace {

constexpr const char* kBlank = " \t\r\n";

// How many bytes at the end of `text` may begin `tag`.
size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
    if (text.ends_with(tag.substr(0, n))) return n;
  return 0;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string::npos;
}

// Nothing where `text` is no JSON object, or nested too deeply.
std::optional<Json> parse_object(const std::string& text) {
  bool too_deep = false;
  Json object = Json::parse(text, limit_depth(&too_deep), false);
  if (too_deep || !object.is_object()) return {};
  return object;
}

bool says_something(const Json& arguments) {
  return !arguments.is_null() && !(arguments.is_string() && is_blank(arguments.get<std::string>()));
}

// Nothing where they are not to be told for sure.
std::optional<std::string> arguments_of(const Json& call) {
  for (const char* key : {"arguments", "parameters"}) {
    const auto found = call.find(key);
    if (found == call.end() || !says_something(*found)) continue;
    if (found->is_object()) return found->dump();
    if (!found->is_string()) return {};
    std::string text = found->get<std::string>();
    return parse_object(text) ? std::optional(std::move(text)) : std::nullopt;
  }
  // The model gave none, unless it gave them under a name of its own.
  for (const auto& [key, value] : call.items())
    if (key != "name" && key != "id" && key != "type" && says_something(value)) return {};
  return "{}";
}

std::optional<ToolCall> parse_call(const std::string& text) {
  const std::optional<Json> call = parse_object(text);
  if (!call) return {};
  const auto name = call->find("name");
  if (name == call->end() || !name->is_string() || is_blank(name->get<std::string>())) return {};
  std::optional<std::string> arguments = arguments_of(*call);
  if (!arguments) return {};
  return ToolCall{.name = name->get<std::string>(), .arguments = *std::move(arguments)};
}

}  // namespace

ParsedText ToolCallParser::push(std::string_view piece) {
  held_ += piece;
  ParsedText out;
  while (inside_ ? take_call(&out) : take_text(&out)) {
  }
  return out;
}

ParsedText ToolCallParser::finish() {
  ParsedText out;
  while (inside_) {
    const size_t end = held_.size() - partial_tag(held_, kToolCallClose);
    if (add_call(held_.substr(0, end), &out))
      held_.clear();
    else
      close_call(held_.size(), "", &out);
    while (inside_ ? take_call(&out) : take_text(&out)) {
    }
  }
  add_text(held_, &out);
  held_.clear();
  if (!after_call_) out.text += blank_;
  blank_.clear();
  return out;
}

bool ToolCallParser::take_text(ParsedText* out) {
  const size_t open = held_.find(kToolCallOpen);
  const size_t close = hidden_.close ? held_.find(kToolCallClose) : std::string::npos;
  const size_t at = std::min(open, close);
  if (at != std::string::npos) {
    add_text(std::string_view(held_).substr(0, at), out);
    held_.erase(0, at + (at == open ? kToolCallOpen : kToolCallClose).size());
    if (at == open) open_call();
    return true;
  }
  size_t held = partial_tag(held_, kToolCallOpen);
  if (hidden_.close) held = std::max(held, partial_tag(held_, kToolCallClose));
  const size_t certain = held_.size() - held;
  add_text(std::string_view(held_).substr(0, certain), out);
  held_.erase(0, certain);
  return false;
}

// The call ends at the first tag that is not within a string. A second opening tag ends it too.
bool ToolCallParser::take_call(ParsedText* out) {
  for (; scanned_ < held_.size(); ++scanned_) {
    const char c = held_[scanned_];
    if (std::exchange(escaped_, in_string_ && !escaped_ && c == '\\')) continue;
    if (c == '{') is_object_ |= is_blank(std::string_view(held_).substr(0, scanned_));
    if (c == '"' && is_object_) in_string_ = !in_string_;
    if (c != '<' || in_string_) continue;
    const std::string_view rest = std::string_view(held_).substr(scanned_);
    for (const std::string_view tag : {kToolCallClose, kToolCallOpen}) {
      if (rest.starts_with(tag)) {
        close_call(scanned_, tag, out);
        return true;
      }
      if (tag.starts_with(rest)) return false;
    }
  }
  return false;
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

void ToolCallParser::open_call() {
  inside_ = true;
  scanned_ = 0;
  is_object_ = in_string_ = escaped_ = false;
}

// `tag` stands at `end` of held_; empty: nothing comes behind it.
void ToolCallParser::close_call(size_t end, std::string_view tag, ParsedText* out) {
  inside_ = false;
  const bool is_closed = tag == kToolCallClose;
  if (add_call(held_.substr(0, end), out)) {
    held_.erase(0, is_closed ? end + tag.size() : end);
    return;
  }
  // It is text up to the first closing tag: what comes behind may be a call again.
  const size_t close = std::min(held_.find(kToolCallClose), end);
  const bool ends_with_tag = std::string_view(held_).substr(close).starts_with(kToolCallClose);
  const size_t next = close + (ends_with_tag ? kToolCallClose.size() : 0);
  std::string text = hidden_.open ? "" : std::string(kToolCallOpen);
  text.append(held_, 0, hidden_.close ? close : next);
  held_.erase(0, next);
  add_text(text, out);
}

bool ToolCallParser::add_call(const std::string& text, ParsedText* out) {
  std::optional<ToolCall> call = parse_call(text);
  if (!call) return false;
  inside_ = false;
  out->calls.push_back(*std::move(call));
  blank_.clear();
  after_call_ = true;
  ++num_calls_;
  return true;
}

}  // namespace tern::http
