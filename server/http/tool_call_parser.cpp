#include "server/http/tool_call_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/http/json.h"

namespace tern::http {
namespace {

constexpr const char* kBlank = " \t\r\n";

constexpr std::string_view kHiddenTags{"\xFE\xFF", 2};
static_assert(kHiddenTags[0] == kHiddenOpen && kHiddenTags[1] == kHiddenClose);

// By their first byte they are told from ordinary text.
constexpr std::string_view kTags[] = {kToolCallClose, kToolCallOpen, kHiddenTags.substr(0, 1),
                                      kHiddenTags.substr(1)};

bool is_close(std::string_view tag) {
  return tag == kToolCallClose || tag == kHiddenTags.substr(1);
}

std::string without_hidden_tags(std::string_view text) {
  std::string out(text);
  out.erase(std::remove_if(out.begin(), out.end(),
                           [](char c) { return kHiddenTags.find(c) != std::string::npos; }),
            out.end());
  return out;
}

// Within a call's strings a tag is text like any other.
std::string with_tags_spelled(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == kHiddenOpen)
      out += kToolCallOpen;
    else if (c == kHiddenClose)
      out += kToolCallClose;
    else
      out += c;
  }
  return out;
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

struct Member {
  std::string key;
  std::string_view value;  // its own text
};

// Each takes valid JSON, and returns the place behind the string or value that begins at `at`.
size_t string_end(std::string_view json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at)
    if (json[at] == '\\') ++at;
  return at + 1;
}

size_t member_end(std::string_view json, size_t at) {
  for (int depth = 0; at < json.size();) {
    const char c = json[at];
    if (depth == 0 && (c == ',' || c == '}')) break;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    at = c == '"' ? string_end(json, at) : at + 1;
  }
  return json.find_last_not_of(kBlank, at - 1) + 1;
}

// Lists the members of an object that is valid.
std::vector<Member> members_of(std::string_view object) {
  std::vector<Member> out;
  for (size_t at = object.find('"'); at < object.size(); at = object.find('"', at)) {
    const size_t key_end = string_end(object, at);
    const size_t value = object.find_first_not_of(kBlank, object.find(':', key_end) + 1);
    const Json key = Json::parse(object.substr(at, key_end - at));
    at = member_end(object, value);
    out.push_back({key.get<std::string>(), object.substr(value, at - value)});
  }
  return out;
}

// Nothing where they are not to be told for sure. Numbers and doubled keys stay as they were
// written: nothing but the client's own types knows what they mean.
std::optional<std::string> arguments_of(const std::vector<Member>& call) {
  std::string_view arguments, parameters;
  for (const auto& [key, value] : call) {
    if (key == "arguments")
      arguments = value;
    else if (key == "parameters")
      parameters = value;
    else if (key != "name" && key != "id" && key != "type" && says_something(Json::parse(value)))
      return {};  // it may be an argument
  }
  for (const std::string_view value : {arguments, parameters}) {
    const Json given = value.empty() ? Json() : Json::parse(value);
    if (!says_something(given)) continue;
    if (!given.is_object() && !given.is_string()) return {};
    std::string text = given.is_string() ? given.get<std::string>() : std::string(value);
    const std::optional<Json> object = parse_object(text);
    if (!object) return {};
    if (!object->empty()) return text;
  }
  return "{}";
}

std::optional<ToolCall> parse_call(const std::string& text) {
  const std::optional<Json> call = parse_object(text);
  if (!call) return {};
  const auto name = call->find("name");
  if (name == call->end() || !name->is_string() || is_blank(name->get<std::string>())) return {};
  std::optional<std::string> arguments = arguments_of(members_of(text));
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
  const size_t open = held_.find(kToolCallOpen), hidden = held_.find(kHiddenOpen);
  const size_t at = std::min(open, hidden);
  if (at != std::string::npos) {
    add_text(std::string_view(held_).substr(0, at), out);
    held_.erase(0, at);
    open_call(open < hidden ? kToolCallOpen : kHiddenTags.substr(0, 1));
    return true;
  }
  const size_t certain = held_.size() - partial_tag(held_, kToolCallOpen);
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
    if (in_string_ || (c != '<' && kHiddenTags.find(c) == std::string::npos)) continue;
    const std::string_view rest = std::string_view(held_).substr(scanned_);
    for (const std::string_view tag : kTags) {
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
void ToolCallParser::add_text(std::string_view written, ParsedText* out) {
  const std::string shown = without_hidden_tags(written);
  std::string_view text = shown;
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

// held_ begins with `tag`.
void ToolCallParser::open_call(std::string_view tag) {
  opening_ = tag;
  held_.erase(0, tag.size());
  inside_ = true;
  scanned_ = 0;
  is_object_ = in_string_ = escaped_ = false;
}

// `tag` stands at `end` of held_; empty: nothing comes behind it.
void ToolCallParser::close_call(size_t end, std::string_view tag, ParsedText* out) {
  inside_ = false;
  if (add_call(held_.substr(0, end), out)) {
    held_.erase(0, is_close(tag) ? end + tag.size() : end);
    return;
  }
  // It is text up to the first closing tag: what comes behind may be a call again.
  size_t next = is_close(tag) ? end + tag.size() : end;
  for (const std::string_view close : {kToolCallClose, kHiddenTags.substr(1)})
    if (const size_t at = held_.find(close); at < end) next = std::min(next, at + close.size());
  add_text(opening_ + held_.substr(0, next), out);
  held_.erase(0, next);
}

bool ToolCallParser::add_call(const std::string& text, ParsedText* out) {
  std::optional<ToolCall> call = parse_call(with_tags_spelled(text));
  if (!call) return false;
  inside_ = false;
  out->calls.push_back(*std::move(call));
  blank_.clear();
  after_call_ = true;
  ++num_calls_;
  return true;
}

}  // namespace tern::http
