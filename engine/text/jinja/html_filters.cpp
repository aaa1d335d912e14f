// Filters that make HTML, URLs, or texts of them.
#include <charconv>

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;

/// `value` escaped, but for what is markup already.
Result<std::string> escaped(const Value& value) {
  TERN_ASSIGN(std::string text, to_text(value));
  return value.is_markup() ? text : escape_html(text);
}

Result<Value> run_escape(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(std::string text, escaped(value));
  return interpreter.string(String{std::move(text), true});
}

Result<Value> run_forceescape(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  return interpreter.string(String{escape_html(text), true});
}

Result<Value> run_safe(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(std::string text, to_text(value));
  return interpreter.string(String{std::move(text), true});
}

// --- striptags ---

std::string without_tags(std::string_view text) {
  std::string out;
  while (true) {
    const size_t start = text.find('<');
    if (start == text.npos) break;
    const bool is_comment = text.substr(start).starts_with("<!--");
    const size_t end = is_comment ? text.find("-->", start + 4) : text.find('>', start);
    if (end == text.npos) break;
    out += text.substr(0, start);
    text.remove_prefix(end + (is_comment ? 3 : 1));
  }
  return out += text;
}

std::string with_single_spaces(std::string_view text) {
  std::string out;
  bool in_space = false;
  for (text = strip(text); !text.empty();) {
    const Utf8Char c = first_char(text);
    const bool was_in_space = std::exchange(in_space, is_python_space(c.code_point));
    if (!in_space) out += text.substr(0, c.size);
    if (in_space && !was_in_space) out += ' ';
    text.remove_prefix(c.size);
  }
  return out;
}

/// The character of "&name;" or "&#123;" without their & and ;, or 0.
char32_t entity(std::string_view name) {
  struct Entity {
    std::string_view name;
    char32_t c;
  };
  constexpr Entity kEntities[] = {
      {"amp", '&'},      {"lt", '<'},       {"gt", '>'},        {"quot", '"'},
      {"apos", '\''},    {"nbsp", 0xa0},    {"copy", 0xa9},     {"reg", 0xae},
      {"laquo", 0xab},   {"raquo", 0xbb},   {"hellip", 0x2026}, {"ndash", 0x2013},
      {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019},  {"ldquo", 0x201c},
      {"rdquo", 0x201d}, {"euro", 0x20ac},  {"deg", 0xb0},      {"middot", 0xb7},
      {"bull", 0x2022},  {"times", 0xd7},   {"trade", 0x2122}};
  for (const Entity& e : kEntities)
    if (e.name == name) return e.c;
  if (!name.starts_with('#')) return 0;
  name.remove_prefix(1);
  const bool is_hex = name.starts_with('x') || name.starts_with('X');
  if (is_hex) name.remove_prefix(1);
  uint32_t code = 0;
  const char* end = name.data() + name.size();
  const auto result = std::from_chars(name.data(), end, code, is_hex ? 16 : 10);
  const bool is_scalar = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return result.ec == std::errc() && result.ptr == end && is_scalar ? code : 0;
}

std::string unescape_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t plain = std::min(text.find('&'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t end = text.substr(0, 32).find(';');
    const char32_t c = end == text.npos ? 0 : entity(text.substr(1, end - 1));
    if (c)
      append_utf8(out, c);
    else
      out += text[0];
    text.remove_prefix(c ? end + 1 : 1);
  }
  return out;
}

Result<Value> run_striptags(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  return interpreter.string(unescape_html(with_single_spaces(without_tags(text))));
}

// --- xmlattr, urlencode ---

Result<Value> run_xmlattr(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"autospace"}));
  if (!value.is_dict())
    return type_error(value, "xmlattr needs a mapping, not " + quoted_type(value));
  std::string out;
  for (const auto& [key, member] : value.dict().items) {
    if (member.is_none() || member.is_undefined()) continue;
    if (!key.is_string()) return invalid_argument("an attribute's name is " + quoted_type(key));
    if (key.string().find_first_of(" \t\n\r\v\f/>=") != std::string::npos)
      return invalid_argument("Invalid character in attribute name: " + string_repr(key.string()));
    TERN_ASSIGN(const std::string name, escaped(key));
    TERN_ASSIGN(const std::string text, escaped(member));
    TERN_TRY(interpreter.charge_growth(out.size(), name.size() + text.size()));
    if (!out.empty() || a.truthy(0, true)) out += ' ';
    out += name + "=\"" + text + "\"";
  }
  return interpreter.string(std::move(out));
}

std::string quoted(std::string_view text, bool is_query) {
  constexpr std::string_view kHex = "0123456789ABCDEF", kSafe = "_.-~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || kSafe.find(c) != kSafe.npos;
    if (is_plain || (c == '/' && !is_query))
      out += c;
    else if (c == ' ' && is_query)
      out += '+';
    else
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

Result<Value> run_urlencode(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  auto pairs = value.is_dict() ? call_method(interpreter, value, "items", {}) : value;
  TERN_TRY(pairs.status());
  const auto source = iterator_over(*pairs);
  if (value.is_string() || !source.ok()) {
    TERN_ASSIGN(const std::string text, to_text(value));
    return interpreter.string(quoted(text, false));
  }
  TERN_ASSIGN(const auto items, iterate(*pairs));
  std::string out;
  for (const Value& item : items->items) {
    TERN_ASSIGN(const auto pair, iterate(item));
    if (pair->items.size() != 2) return invalid_argument("urlencode needs pairs of key and value");
    TERN_ASSIGN(const std::string key, to_text(pair->items[0]));
    TERN_ASSIGN(const std::string text, to_text(pair->items[1]));
    TERN_TRY(interpreter.charge_growth(out.size(), 3 * (key.size() + text.size())));
    if (!out.empty()) out += '&';
    out += quoted(key, true) + "=" + quoted(text, true);
  }
  return interpreter.string(std::move(out));
}

constexpr Filter kFilters[] = {
    {"escape", run_escape},           {"e", run_escape},
    {"forceescape", run_forceescape}, {"safe", run_safe},
    {"striptags", run_striptags},     {"xmlattr", run_xmlattr},
    {"urlencode", run_urlencode},
};

}  // namespace

const Filter* find_html_filter(std::string_view name) {
  return find_row(kFilters, name);
}

}  // namespace tern::jinja
