// Filters on strings, numbers and anything.
#include "engine/text/jinja/filters.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/json.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;
using Type = Value::Type;

/// A filter without arguments from text to text.
template <std::string (*kMap)(std::string_view)>
Result<Value> run_map(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  return interpreter.string(kMap(text));
}

std::string same(std::string_view text) {
  return std::string(text);
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr std::string_view kSpecial = "&<>'\"";
    constexpr std::string_view kNames[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    const size_t i = kSpecial.find(c);
    out += i == kSpecial.npos ? std::string_view(&c, 1) : kNames[i];
  }
  return out;
}

Result<Value> run_trim(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"chars"}));
  TERN_ASSIGN(const std::string text, to_text(value));
  if (!a[0] || a[0]->is_none()) return interpreter.string(std::string(strip(text)));
  TERN_ASSIGN(const std::string set, a.string(0, ""));
  return interpreter.string(std::string(strip(text, set)));
}

Result<Value> run_replace(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"old", "new", "count"}, 2));
  TERN_ASSIGN(const std::string text, to_text(value));
  TERN_ASSIGN(const std::string old_part, to_text(*a[0]));
  TERN_ASSIGN(const std::string new_part, to_text(*a[1]));
  TERN_ASSIGN(const int64_t count,
              a[2] && a[2]->is_none() ? Result<int64_t>(-1) : a.integer(2, -1));
  TERN_ASSIGN(std::string out, replace_all(text, old_part, new_part, count, kMaxStringBytes));
  return interpreter.string(std::move(out));
}

Result<Value> run_indent(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"width", "first", "blank"}));
  TERN_ASSIGN(const std::string text, to_text(value));
  std::string indention;
  if (a[0] && a[0]->is_string()) {
    indention = a[0]->string();
  } else {
    TERN_ASSIGN(const int64_t width, a.integer(0, 4));
    if (width > 1000)
      return invalid_argument("a width of " + std::to_string(width) + " exceeds 1000");
    indention.assign(size_t(std::max<int64_t>(width, 0)), ' ');
  }
  const bool first = a.truthy(1, false), blank = a.truthy(2, false);
  const std::vector<std::string> lines = split_lines(text + "\n", false);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    TERN_TRY(interpreter.charge(lines[i].size() + indention.size()));
    if (i > 0) out += '\n';
    if (i == 0 ? first : blank || !lines[i].empty()) out += indention;
    out += lines[i];
  }
  return interpreter.string(std::move(out));
}

Result<Value> run_wordcount(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  return Value(int64_t(split(text, {}, -1).size()));
}

// --- numbers ---

/// The number that `value` is or spells; none where it is neither.
std::optional<Value> to_number(const Value& value) {
  if (value.is_number()) return value;
  if (!value.is_string()) return std::nullopt;
  std::string_view text = strip(value.string());
  if (text.starts_with('+')) text.remove_prefix(1);
  const char *begin = text.data(), *end = begin + text.size();
  int64_t integer = 0;
  if (const auto r = std::from_chars(begin, end, integer); r.ec == std::errc() && r.ptr == end)
    return Value(integer);
  double real = 0;
  if (const auto r = std::from_chars(begin, end, real); r.ec == std::errc() && r.ptr == end)
    return Value(real);
  return std::nullopt;
}

bool fits_integer(double number) {
  return number >= -0x1p63 && number < 0x1p63;
}

Result<Value> run_int(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"default"}));
  const auto number = to_number(value);
  if (number && number->is_integer()) return Value(number->integer());
  if (number && fits_integer(number->number())) return Value(int64_t(number->number()));
  return a[0] ? *a[0] : Value(int64_t(0));
}

Result<Value> run_float(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"default"}));
  if (const auto number = to_number(value)) return Value(number->number());
  return a[0] ? *a[0] : Value(0.0);
}

Result<Value> run_abs(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  if (!value.is_number()) return invalid_argument("abs of " + quoted_type(value));
  if (value.is(Type::kFloat)) return Value(std::abs(value.number()));
  return value.integer() < 0 ? arithmetic(interpreter, "-", Value(int64_t(0)), value)
                             : Value(value.integer());
}

Result<Value> run_round(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"precision", "method"}));
  TERN_ASSIGN(const int64_t precision, a.integer(0, 0));
  TERN_ASSIGN(const std::string method, a.string(1, "common"));
  if (!value.is_number()) return invalid_argument("round of " + quoted_type(value));
  const double scale = std::pow(10.0, double(std::clamp<int64_t>(precision, -300, 300)));
  const double scaled = value.number() * scale;
  if (method == "common") return Value(std::nearbyint(scaled) / scale);
  if (method == "floor") return Value(std::floor(scaled) / scale);
  if (method == "ceil") return Value(std::ceil(scaled) / scale);
  return invalid_argument("round knows no method " + string_repr(method));
}

// --- anything ---

Result<Value> run_default(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"default_value", "boolean"}));
  const bool replaced = value.is_undefined() || (a.truthy(1, false) && !value.truthy());
  if (!replaced) return value;
  return a[0] ? *a[0] : Value(std::string());
}

Result<Value> run_length(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  if (value.is_string()) return Value(int64_t(num_chars(value.string())));
  if (value.is_dict()) return Value(int64_t(value.dict().items.size()));
  if (value.is_list() && value.list().kind != List::Kind::kGenerator)
    return Value(int64_t(value.list().items.size()));
  if (value.is_undefined()) return Value(int64_t(0));
  return invalid_argument("object of type " + quoted_type(value) + " has no len()");
}

Result<JsonFormat> json_format(Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonFormat format;
  format.ensure_ascii = a.truthy(0, false);
  format.sort_keys = a.truthy(3, false);
  if (a[1] && !a[1]->is_none()) {
    TERN_ASSIGN(const int64_t indent, a.integer(1, 0));
    if (indent > 1000)
      return invalid_argument("an indent of " + std::to_string(indent) + " exceeds 1000");
    format.indent = int(std::max<int64_t>(indent, 0));
    format.item_separator.assign(1, ',');  // the line end stands for the space
  }
  if (a[2] && !a[2]->is_none()) {
    const bool is_pair = a[2]->is_list() && a[2]->list().items.size() == 2 &&
                         a[2]->list().items[0].is_string() && a[2]->list().items[1].is_string();
    if (!is_pair) return invalid_argument("separators are not two strings");
    format.item_separator = a[2]->list().items[0].string();
    format.key_separator = a[2]->list().items[1].string();
  }
  return format;
}

Result<Value> run_tojson(Interpreter& interpreter, const Value& value, Args args) {
  // Hugging Face's signature: (x, ensure_ascii=False, indent=None, separators=None,
  // sort_keys=False).
  TERN_ASSIGN(const JsonFormat format, json_format(args));
  TERN_ASSIGN(std::string text, to_json(value, format, kMaxStringBytes));
  return interpreter.string(std::move(text));
}

constexpr Filter kFilters[] = {
    {"trim", run_trim},
    {"upper", run_map<to_upper>},
    {"lower", run_map<to_lower>},
    {"title", run_map<title>},
    {"capitalize", run_map<capitalize>},
    {"string", run_map<same>},
    {"safe", run_map<same>},
    {"escape", run_map<escape_html>},
    {"e", run_map<escape_html>},
    {"replace", run_replace},
    {"indent", run_indent},
    {"wordcount", run_wordcount},
    {"int", run_int},
    {"float", run_float},
    {"abs", run_abs},
    {"round", run_round},
    {"default", run_default},
    {"d", run_default},
    {"length", run_length},
    {"count", run_length},
    {"tojson", run_tojson},
};

}  // namespace

const Filter* find_filter(std::string_view name) {
  const Filter* filter = std::find_if(std::begin(kFilters), std::end(kFilters),
                                      [&](const Filter& f) { return f.name == name; });
  return filter == std::end(kFilters) ? find_list_filter(name) : filter;
}

}  // namespace tern::jinja
