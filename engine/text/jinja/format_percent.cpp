// `text % argument`, as Python formats.
#include <cmath>

#include "base/utf8_char.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& interpreter, const Value& text, const Value& argument)
      : interpreter_(interpreter),
        rest_(text.string()),
        is_markup_(text.is_markup()),
        argument_(argument) {
    if (argument.is_list(List::Kind::kTuple))
      arguments_ = argument.list().items;
    else
      arguments_.push_back(argument);
  }

  Result<Value> run() {
    while (!rest_.empty()) {
      const size_t plain = std::min(rest_.find('%'), rest_.size());
      out_ += rest_.substr(0, plain);
      rest_.remove_prefix(plain);
      if (!rest_.empty()) TERN_TRY(format_one());
    }
    const bool is_mapping = argument_.is_dict() || argument_.is_undefined() ||
                            (argument_.is_list() && !argument_.is_list(List::Kind::kTuple));
    if (next_ < arguments_.size() && !is_mapping)
      return invalid_argument("not all arguments converted during string formatting");
    return interpreter_.string(String{std::move(out_), is_markup_});
  }

 private:
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }

  Result<Value> take_argument() {
    if (next_ >= arguments_.size())
      return invalid_argument("not enough arguments for format string");
    return arguments_[next_++];
  }

  /// Formats from a '%' on.
  Status format_one() {
    rest_.remove_prefix(1);
    if (peek() == '%') {
      out_ += '%';
      rest_.remove_prefix(1);
      return {};
    }
    std::optional<Value> member;
    if (peek() == '(') {
      TERN_ASSIGN(member, take_member());
    }
    FormatSpec spec;
    bool left = false, zeros = false;
    for (; !rest_.empty() && std::string_view("-+ #0").find(peek()) != std::string_view::npos;
         rest_.remove_prefix(1)) {
      left |= peek() == '-';
      zeros |= peek() == '0';
      spec.alternate |= peek() == '#';
      if (peek() == '+' || (peek() == ' ' && spec.sign != '+')) spec.sign = peek();
    }
    TERN_ASSIGN(const int64_t width, take_size());
    if (width < 0) left |= width < -1;
    spec.width = size_t(width < -1 ? -width : width < 0 ? 0 : width);
    if (peek() == '.') {
      rest_.remove_prefix(1);
      TERN_ASSIGN(const int64_t precision, take_size());
      spec.precision = int(std::max<int64_t>(precision, 0));
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') rest_.remove_prefix(1);
    if (rest_.empty()) return invalid_argument("incomplete format");
    spec.type = peek();
    rest_.remove_prefix(1);
    spec.align = left ? '<' : '>';
    if (!member) {
      TERN_ASSIGN(member, take_argument());
    }
    return append(*member, spec, zeros && !left);
  }

  /// The member that "(name)" asks for.
  Result<Value> take_member() {
    size_t end = 1;
    for (int open = 1; end < rest_.size(); ++end) {
      open += rest_[end] == '(' ? 1 : rest_[end] == ')' ? -1 : 0;
      if (open == 0) break;
    }
    if (end >= rest_.size()) return invalid_argument("incomplete format key");
    const std::string name(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    if (!argument_.is_dict()) return type_error(argument_, "format requires a mapping");
    next_ = arguments_.size();
    const Value* member = argument_.dict().find(name);
    return member ? Result<Value>(*member) : invalid_argument("no key " + string_repr(name));
  }

  /// A width or precision: digits, or * for the next argument. -1 where there is none.
  Result<int64_t> take_size() {
    int64_t size = -1;
    if (peek() == '*') {
      rest_.remove_prefix(1);
      TERN_ASSIGN(const Value value, take_argument());
      if (!value.is_integer()) return type_error(value, "* wants int");
      size = value.integer() == -1 ? -2 : value.integer();  // -1 stands for no width
    }
    for (; peek() >= '0' && peek() <= '9' && size < int64_t(kMaxStringBytes);
         rest_.remove_prefix(1))
      size = std::max<int64_t>(size, 0) * 10 + (peek() - '0');
    if (size > int64_t(kMaxStringBytes) || size < -int64_t(kMaxStringBytes))
      return invalid_argument("a width in a format exceeds " + std::to_string(kMaxStringBytes));
    return size;
  }

  Status append(const Value& value, FormatSpec spec, bool zeros) {
    const size_t size = std::max(spec.width, size_t(std::max(spec.precision, 0)));
    TERN_TRY(interpreter_.charge_growth(out_.size(), size));
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a':
        return append_text(value, spec);
      case 'c':
        return append_character(value, spec);
      default:
        return append_number(value, spec, zeros);
    }
  }

  Status append_text(const Value& value, const FormatSpec& spec) {
    TERN_ASSIGN(std::string text, spec.type == 's' ? to_text(value) : repr(value));
    if (spec.type == 'a') text = ascii(text);
    if (is_markup_ && !(spec.type == 's' && value.is_markup())) text = escape_html(text);
    if (spec.precision >= 0) text.resize(char_offset(text, size_t(spec.precision)));
    out_ += padded(text, spec, '>');
    return {};
  }

  Status append_character(const Value& value, FormatSpec spec) {
    std::string text;
    if (value.is_string() && num_chars(value.string()) == 1) {
      text = is_markup_ && !value.is_markup() ? escape_html(value.string()) : value.string();
      out_ += padded(text, spec, '>');
      return {};
    }
    if (!value.is_integer()) return type_error(value, "%c requires int or char");
    TERN_ASSIGN(text, format_integer(value.integer(), spec));
    out_ += text;
    return {};
  }

  Status append_number(const Value& value, FormatSpec spec, bool zeros) {
    if (std::string_view("diuxXoeEfFgG").find(spec.type) == std::string_view::npos)
      return invalid_argument(std::string("unsupported format character '") + spec.type + "'");
    if (!value.is_number())
      return type_error(
          value, std::string("%") + spec.type + " requires a number, not " + quoted_type(value));
    if (spec.precision > kMaxPrecision)
      return invalid_argument("a precision exceeds " + std::to_string(kMaxPrecision));
    if (zeros) {
      spec.align = '=';
      spec.fill = "0";
    }
    const bool is_float = std::string_view("eEfFgG").find(spec.type) != std::string_view::npos;
    const auto text = is_float ? format_float(value.number(), spec) : integer_text(value, spec);
    TERN_TRY(text.status());
    out_ += *text;
    return {};
  }

  static Result<std::string> integer_text(const Value& value, FormatSpec spec) {
    const bool is_decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
    if (is_decimal) spec.type = 'd';
    if (value.is_integer()) return format_integer(value.integer(), spec);
    const double number = value.number();
    if (!is_decimal) return invalid_argument("an integer is required, not 'float'");
    if (!(number >= -0x1p63 && number < 0x1p63))
      return invalid_argument("a float is beyond 64 bits as an integer");
    return format_integer(int64_t(number), spec);
  }

  Interpreter& interpreter_;
  std::string_view rest_;
  bool is_markup_;
  const Value& argument_;
  std::vector<Value> arguments_;
  size_t next_ = 0;
  std::string out_;
};

}  // namespace

Result<Value> format_percent(Interpreter& interpreter, const Value& text, const Value& argument) {
  return PercentFormatter(interpreter, text, argument).run();
}

}  // namespace tern::jinja
