// Filters on strings and on anything.
#include "engine/text/jinja/filters.h"

#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/json.h"
#include "engine/text/jinja/pretty.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;

// --- strings ---

/// `value` as filters on strings take it: markup stays markup.
Result<String> soft_text(const Value& value) {
  TERN_ASSIGN(std::string text, to_text(value));
  return String{std::move(text), value.is_markup()};
}

/// A filter without arguments from text to text.
template <std::string (*kMap)(std::string_view)>
Result<Value> run_map(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(String text, soft_text(value));
  text.text = kMap(text.text);
  return interpreter.string(std::move(text));
}

std::string same(std::string_view text) {
  return std::string(text);
}

/// Unlike str.title(), words begin only behind white space, hyphens and opening brackets.
std::string filter_title(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto is_separator = [](char32_t c) {
      return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    };
    size_t end = 0;
    for (; end < text.size(); end += first_char(text.substr(end)).size)
      if (is_separator(first_char(text.substr(end)).code_point)) break;
    if (end > 0) {
      const size_t first = first_char(text).size;
      out += to_upper(text.substr(0, first)) + to_lower(text.substr(first, end - first));
    }
    const size_t separator = end < text.size() ? first_char(text.substr(end)).size : 0;
    out += text.substr(end, separator);
    text.remove_prefix(end + separator);
  }
  return out;
}

Result<Value> run_title(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  return interpreter.string(filter_title(text));
}

Result<Value> run_trim(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"chars"}));
  TERN_ASSIGN(const String text, soft_text(value));
  if (!a[0] || a[0]->is_none())
    return interpreter.string(String{std::string(strip(text.text)), text.is_markup});
  TERN_ASSIGN(const std::string set, a.string(0, ""));
  TERN_TRY(interpreter.charge(0, int64_t((text.text.size() * set.size()) >> 10)));
  return interpreter.string(String{std::string(strip(text.text, set)), text.is_markup});
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
  if (!value.is_string()) return type_error(value, "cannot indent " + quoted_type(value));
  std::string indention;
  if (a[0] && a[0]->is_string()) {
    indention = a[0]->string();
    if (value.is_markup() && !a[0]->is_markup()) indention = escape_html(indention);
  } else {
    TERN_ASSIGN(const size_t width, a.width(0, 4));
    TERN_TRY(interpreter.charge_string(width));
    indention.assign(width, ' ');
  }
  const bool first = a.truthy(1, false), blank = a.truthy(2, false);
  const std::vector<std::string> lines = split_lines(value.string() + "\n", false);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    TERN_TRY(interpreter.charge_growth(out.size(), lines[i].size() + indention.size()));
    if (i > 0) out += '\n';
    if (i == 0 ? first : blank || !lines[i].empty()) out += indention;
    out += lines[i];
  }
  return interpreter.string(String{std::move(out), value.is_markup()});
}

Result<Value> run_wordcount(Interpreter&, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(const std::string text, to_text(value));
  int64_t count = 0;
  bool in_word = false;
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char c = first_char(rest);
    const bool was_in_word = std::exchange(in_word, is_word(c.code_point));
    count += in_word && !was_in_word;
    rest.remove_prefix(c.size);
  }
  return Value(count);
}

Result<Value> run_center(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"width"}));
  TERN_ASSIGN(String text, soft_text(value));
  return call_method(interpreter, Value(std::move(text)), "center",
                     {{a[0] ? *a[0] : Value(int64_t(80))}, {}});
}

Result<Value> run_truncate(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"length", "killwords", "end", "leeway"}));
  TERN_ASSIGN(const int64_t length, a.integer(0, 255));
  TERN_ASSIGN(const std::string end, a.string(2, "..."));
  TERN_ASSIGN(const int64_t leeway, a[3] && a[3]->is_none() ? Result<int64_t>(5) : a.integer(3, 5));
  const auto end_size = int64_t(num_chars(end));
  if (length < end_size)
    return invalid_argument("expected length >= " + std::to_string(end_size) + ", got " +
                            std::to_string(length));
  if (leeway < 0) return invalid_argument("expected leeway >= 0, got " + std::to_string(leeway));
  TERN_TRY(value.is_string() ? Status()
                             : type_error(value, "cannot truncate " + quoted_type(value)));
  const std::string& text = value.string();
  if (int64_t(num_chars(text)) - leeway <= length) return value;
  std::string out = text.substr(0, char_offset(text, size_t(length - end_size)));
  if (!a.truthy(1, false)) out = out.substr(0, out.rfind(' '));
  out += value.is_markup() ? escape_html(end) : end;
  return interpreter.string(String{std::move(out), value.is_markup()});
}

Result<Value> run_wordwrap(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a,
              bind(args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"}));
  TERN_ASSIGN(const size_t width, a.width(0, 79));
  const std::string separator = a[2] && a[2]->is_string() ? a[2]->string() : "\n";
  if (!value.is_string()) return type_error(value, "cannot wrap " + quoted_type(value));
  const Wrap wrap{width, a.truthy(1, true), a.truthy(3, true)};
  constexpr size_t kMaxBytes = size_t(4) << 20;  // its words take many times as much
  if (value.string().size() > kMaxBytes)
    return invalid_argument("a text of " + std::to_string(value.string().size()) +
                            " bytes exceeds " + std::to_string(kMaxBytes));
  std::string out;
  bool is_first = true;
  for (const std::string& line : split_lines(value.string(), false)) {
    if (width == 0) return invalid_argument("invalid width 0 (must be > 0)");
    const std::vector<std::string> lines = wrap_line(line, wrap);
    for (size_t i = 0; i < std::max<size_t>(lines.size(), 1); ++i) {
      const std::string_view text = i < lines.size() ? std::string_view(lines[i]) : "";
      TERN_TRY(interpreter.charge_growth(out.size(), separator.size() + text.size()));
      if (!std::exchange(is_first, false)) out += separator;
      out += text;
    }
  }
  return interpreter.string(std::move(out));
}

Result<Value> run_format(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(String text, soft_text(value));
  if (!args.named.empty() && !args.positional.empty())
    return invalid_argument("can't handle positional and keyword arguments at the same time");
  if (args.named.empty()) {
    TERN_ASSIGN(const Value values, interpreter.list(args.positional, List::Kind::kTuple));
    return format_percent(interpreter, Value(std::move(text)), values);
  }
  Dict dict;
  for (const auto& [name, member] : args.named) dict.set(name, member);
  TERN_ASSIGN(const Value values, make_dict(std::move(dict)));
  return format_percent(interpreter, Value(std::move(text)), values);
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
  if (value.is(Value::Type::kLoop)) {
    TERN_ASSIGN(const int64_t length, loop_length(value.loop()));
    return Value(length);
  }
  if (value.is_blank_none()) return Value(int64_t(0));
  if (value.is_string() || value.is_list() || value.is_dict() || value.is_undefined())
    return Value(*Iterator(value).length());
  return invalid_argument("object of type " + quoted_type(value) + " has no len()");
}

Result<Value> run_attr(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"name"}, 1));
  TERN_ASSIGN(const std::string name, to_text(*a[0]));
  TERN_TRY(interpreter.charge(name.size()));
  return get_own_attribute(value, name);
}

Result<JsonFormat> json_format(Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonFormat format;
  format.ensure_ascii = a.truthy(0, false);
  format.sort_keys = a.truthy(3, false);
  if (a[1] && !a[1]->is_none()) {
    if (a[1]->is_string()) {
      format.indent = a[1]->string();
    } else {
      TERN_ASSIGN(const size_t indent, a.width(1, 0));
      if (indent > 1000)
        return invalid_argument("an indent of " + std::to_string(indent) + " exceeds 1000");
      format.indent = std::string(indent, ' ');
    }
    format.item_separator.assign(1, ',');  // the line end stands for the space
  }
  if (a[2] && !a[2]->is_none()) {
    const bool is_pair = a[2]->is_list() && !a[2]->list().is_view() &&
                         a[2]->list().items.size() == 2 && a[2]->list().items[0].is_string() &&
                         a[2]->list().items[1].is_string();
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

Result<Value> run_pprint(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  TERN_ASSIGN(std::string text, pretty(interpreter, value));
  return interpreter.string(std::move(text));
}

Result<Value> run_random(Interpreter&, const Value&, Args) {
  return Status(Code::kUnimplemented,
                "tern refuses it: the same messages shall give the same prompt");
}

constexpr Filter kFilters[] = {
    {"trim", run_trim},
    {"upper", run_map<to_upper>},
    {"lower", run_map<to_lower>},
    {"title", run_title},
    {"capitalize", run_map<capitalize>},
    {"string", run_map<same>},
    {"replace", run_replace},
    {"indent", run_indent},
    {"wordcount", run_wordcount},
    {"center", run_center},
    {"truncate", run_truncate},
    {"wordwrap", run_wordwrap},
    {"format", run_format},
    {"default", run_default},
    {"d", run_default},
    {"length", run_length},
    {"count", run_length},
    {"attr", run_attr},
    {"tojson", run_tojson},
    {"pprint", run_pprint},
    {"random", run_random},
};

}  // namespace

const Filter* find_filter(std::string_view name) {
  const Filter* filter = find_row(kFilters, name);
  for (const auto find : {find_number_filter, find_html_filter, find_list_filter, find_lazy_filter})
    if (!filter) filter = find(name);
  return filter;
}

}  // namespace tern::jinja
