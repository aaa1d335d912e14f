// `text.format(…)`, as Python formats within Jinja's sandbox.
#include "base/utf8_char.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_align(std::string_view text) {
  return !text.empty() && std::string_view("<>=^").find(text[0]) != std::string_view::npos;
}

/// Reads "[[fill]align][sign][#][0][width][grouping][.precision][type]".
class SpecParser {
 public:
  explicit SpecParser(std::string_view text) : rest_(text) {}

  Result<FormatSpec> run() {
    FormatSpec spec;
    const size_t first = rest_.empty() ? 0 : first_char(rest_).size;
    const bool has_fill = is_align(rest_.substr(first));
    if (has_fill) {
      spec.fill = std::string(rest_.substr(0, first));
      rest_.remove_prefix(first);
    }
    if (is_align(rest_)) spec.align = take();
    if (at('+') || at('-') || at(' ')) spec.sign = take();
    if (at('#')) spec.alternate = take() == '#';
    if (at('0')) {
      if (!has_fill) spec.fill = "0";
      if (spec.align == 0) spec.align = '0';  // = of numbers, < of strings
      take();
    }
    TERN_ASSIGN(const int64_t width, take_number());
    spec.width = size_t(std::max<int64_t>(width, 0));
    if (at(',') || at('_')) spec.grouping = take();
    if (at('.')) {
      take();
      TERN_ASSIGN(const int64_t precision, take_number());
      if (precision < 0) return invalid_argument("format specifier missing precision");
      spec.precision = int(precision);
    }
    if (!rest_.empty()) spec.type = take();
    if (!rest_.empty()) return invalid_argument("invalid format specifier");
    return spec;
  }

 private:
  bool at(char c) const { return !rest_.empty() && rest_[0] == c; }
  char take() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  Result<int64_t> take_number() {
    int64_t number = -1;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      number = std::max<int64_t>(number, 0) * 10 + (take() - '0');
      if (number > int64_t(kMaxStringBytes))
        return invalid_argument("a width in a format exceeds " + std::to_string(kMaxStringBytes));
    }
    return number;
  }

  std::string_view rest_;
};

Result<std::string> format_text(const std::string& text, FormatSpec spec) {
  if (spec.type && spec.type != 's')
    return invalid_argument(std::string("unknown format code '") + spec.type + "' for a str");
  if (spec.sign != '-' || spec.alternate || spec.grouping || spec.align == '=')
    return invalid_argument("a str has no sign, '=', '#', ',' or '_' in its format");
  if (spec.align == '0') spec.align = '<';
  const size_t size = spec.precision < 0 ? text.size() : char_offset(text, size_t(spec.precision));
  return padded(std::string_view(text).substr(0, size), spec, '<');
}

Result<std::string> format_number(const Value& value, FormatSpec spec) {
  if (spec.align == '0') spec.align = '=';
  if (spec.precision > kMaxPrecision)
    return invalid_argument("a precision exceeds " + std::to_string(kMaxPrecision));
  const bool is_float_type = std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  if (value.is_float() || (spec.type && is_float_type)) return format_float(value.number(), spec);
  if (spec.precision >= 0) return invalid_argument("precision not allowed in integer format");
  return format_integer(value.integer(), spec);
}

/// Python's format(value, spec).
Result<std::string> format_value(Interpreter& interpreter, const Value& value,
                                 std::string_view spec_text) {
  if (spec_text.empty()) return to_text(value);
  if (const std::string* text = value.text_in_place())
    return format_value(interpreter, Value(*text), spec_text);
  if (!value.is_string() && !value.is_number())
    return invalid_argument("unsupported format string passed to " + quoted_type(value));
  TERN_ASSIGN(const FormatSpec spec, SpecParser(spec_text).run());
  TERN_TRY(interpreter.charge_string(spec.width));
  return value.is_string() ? format_text(value.string(), spec) : format_number(value, spec);
}

class BraceFormatter {
 public:
  BraceFormatter(Interpreter& interpreter, bool is_markup, const CallArgs& args)
      : interpreter_(interpreter), is_markup_(is_markup), args_(args) {}

  /// `text` with its fields filled in: also those within the specification of a field.
  Result<std::string> run(std::string_view text, int level) {
    if (level > 3) return invalid_argument("Max string recursion exceeded");
    std::string out;
    while (!text.empty()) {
      const size_t plain = std::min(text.find_first_of("{}"), text.size());
      out += text.substr(0, plain);
      text.remove_prefix(plain);
      if (text.empty()) break;
      if (text.size() > 1 && text[1] == text[0]) {
        out += text[0];
        text.remove_prefix(2);
      } else if (text[0] == '}') {
        return invalid_argument("Single '}' encountered in format string");
      } else {
        TERN_ASSIGN(const std::string field, take_field(text));
        TERN_ASSIGN(const std::string value, format_field(field, level));
        TERN_TRY(interpreter_.charge_growth(out.size(), value.size()));
        out += value;
      }
    }
    return out;
  }

 private:
  /// What stands between the braces with which `text` begins; takes it and them away.
  static Result<std::string> take_field(std::string_view& text) {
    size_t end = 1;
    for (int open = 1; end < text.size(); ++end) {
      open += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
      if (open == 0) break;
    }
    if (end >= text.size()) return invalid_argument("expected '}' before end of string");
    std::string field(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    return field;
  }

  /// "name!conversion:spec"
  Result<std::string> format_field(std::string_view field, int level) {
    size_t end = 0;  // of the name; brackets may hold anything
    for (bool in_brackets = false; end < field.size(); ++end) {
      if (field[end] == '[') in_brackets = true;
      if (field[end] == ']') in_brackets = false;
      if (!in_brackets && (field[end] == '!' || field[end] == ':')) break;
    }
    TERN_ASSIGN(Value value, find_field(field.substr(0, end)));
    field.remove_prefix(end);
    if (field.starts_with('!')) {
      if (field.size() < 2 || (field.size() > 2 && field[2] != ':'))
        return invalid_argument("expected ':' after conversion specifier");
      TERN_ASSIGN(value, converted(value, field[1]));
      field.remove_prefix(2);
    }
    if (field.starts_with(':')) field.remove_prefix(1);
    TERN_ASSIGN(const std::string spec, run(field, level + 1));
    TERN_ASSIGN(std::string text, format_value(interpreter_, value, spec));
    return is_markup_ && !value.is_markup() ? escape_html(text) : text;
  }

  static Result<Value> converted(const Value& value, char conversion) {
    if (conversion != 's' && conversion != 'r' && conversion != 'a')
      return invalid_argument(std::string("unknown conversion specifier '") + conversion + "'");
    TERN_ASSIGN(std::string text, conversion == 's' ? to_text(value) : repr(value));
    return Value(conversion == 'a' ? ascii(text) : text);
  }

  Result<Value> find_field(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    TERN_ASSIGN(Value value, find_argument(name.substr(0, end), name.size() == end));
    for (name.remove_prefix(end); !name.empty();) {
      const bool is_item = name[0] == '[';
      const size_t close =
          is_item ? name.find(']') : std::min(name.find_first_of(".[", 1), name.size());
      if (close == name.npos) return invalid_argument("Missing ']' in format string");
      const std::string part(name.substr(1, close - 1));
      if (part.empty()) return invalid_argument("Empty attribute in format string");
      name.remove_prefix(close + size_t(is_item));
      if (is_item && !name.empty() && name[0] != '.' && name[0] != '[')
        return invalid_argument("Only '.' or '[' may follow ']' in format field specifier");
      const Value key = is_digits(part) ? Value(int64_t(std::stoi(part))) : Value(part);
      TERN_ASSIGN(value, is_item ? get_item(value, key) : get_attribute(value, part));
    }
    return value;
  }

  Result<Value> find_argument(std::string_view name, bool is_whole) {
    size_t index = 0;
    if (name.empty() && is_whole) {
      if (numbering_ == Numbering::kManual)
        return invalid_argument("cannot switch from manual field specification to automatic");
      numbering_ = Numbering::kAutomatic;
      index = next_++;
    } else if (is_digits(name)) {
      if (numbering_ == Numbering::kAutomatic)
        return invalid_argument("cannot switch from automatic field numbering to manual");
      numbering_ = Numbering::kManual;
      index = size_t(std::stoi(std::string(name)));
    } else {
      for (const auto& [key, value] : args_.named)
        if (key == name) return value;
      return invalid_argument("no argument " + string_repr(name));
    }
    if (index >= args_.positional.size())
      return invalid_argument("Replacement index " + std::to_string(index) + " out of range");
    return args_.positional[index];
  }

  enum class Numbering { kNone, kAutomatic, kManual };

  Interpreter& interpreter_;
  bool is_markup_;
  const CallArgs& args_;
  Numbering numbering_ = Numbering::kNone;
  size_t next_ = 0;
};

}  // namespace

Result<Value> format_braces(Interpreter& interpreter, const Value& text, const CallArgs& args) {
  TERN_ASSIGN(std::string out,
              BraceFormatter(interpreter, text.is_markup(), args).run(text.string(), 1));
  return interpreter.string(String{std::move(out), text.is_markup()});
}

}  // namespace tern::jinja
