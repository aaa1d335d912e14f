// Arithmetic and membership of template values.
#include <algorithm>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/text/jinja/calls.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Type = Value::Type;

Status overflow() {
  return invalid_argument("an integer exceeds 64 bits");
}

Result<Value> integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0 && base == 0) return invalid_argument("0 cannot be raised to a negative power");
  if (exponent < 0) return Value(std::pow(double(base), double(exponent)));
  int64_t value = 1;
  if (base == 0 || base == 1 || base == -1)
    return Value(exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base);
  for (; exponent > 0; --exponent)  // at most 63 times before it overflows
    if (__builtin_mul_overflow(value, base, &value)) return overflow();
  return Value(value);
}

/// Python's // and %: the quotient rounds down.
Result<Value> integer_division(std::string_view op, int64_t a, int64_t b) {
  if (b == 0) return invalid_argument("integer division or modulo by zero");
  if (b == -1) {  // INT64_MIN / -1 does not fit
    int64_t negated = 0;
    if (__builtin_sub_overflow(int64_t(0), a, &negated)) return overflow();
    return Value(op == "//" ? negated : int64_t(0));
  }
  const bool rounds = a % b != 0 && (a < 0) != (b < 0);
  if (op == "//") return Value(a / b - int64_t(rounds));
  return Value(a % b + (rounds ? b : 0));
}

Result<Value> integer_arithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t value = 0;
  if (op == "**") return integer_power(a, b);
  if (op == "//" || op == "%") return integer_division(op, a, b);
  const bool failed = op == "+"   ? __builtin_add_overflow(a, b, &value)
                      : op == "-" ? __builtin_sub_overflow(a, b, &value)
                                  : __builtin_mul_overflow(a, b, &value);
  if (failed) return overflow();
  return Value(value);
}

/// Python's divmod of floats: the quotient rounds down, and the rest has the divisor's sign.
std::pair<double, double> float_division(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest == 0) {
    rest = std::copysign(0.0, b);
  } else if ((b < 0) != (rest < 0)) {
    rest += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), rest};
  const double floor = std::floor(quotient);
  return {quotient - floor > 0.5 ? floor + 1 : floor, rest};
}

Result<Value> float_power(double a, double b) {
  if (a == 0 && b < 0) return invalid_argument("0.0 cannot be raised to a negative power");
  const double value = std::pow(a, b);
  if (std::isnan(value) && !std::isnan(a) && !std::isnan(b))
    return invalid_argument("a power of a negative number is complex");
  if (std::isinf(value) && !std::isinf(a) && !std::isinf(b))
    return invalid_argument("a power is out of a float's range");
  return Value(value);
}

Result<Value> float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return float_power(a, b);
  if (b == 0) return invalid_argument("division by zero");
  if (op == "/") return Value(a / b);
  const auto [quotient, rest] = float_division(a, b);
  return Value(op == "//" ? quotient : rest);
}

/// Integers beyond 2^53 are no doubles; their quotient is rounded but once.
Result<Value> true_division(int64_t a, int64_t b) {
  if (b == 0) return invalid_argument("division by zero");
  return Value(double(static_cast<long double>(a) / static_cast<long double>(b)));
}

/// Where one of the two is markup, the other is escaped.
Result<Value> concatenate_strings(Interpreter& interpreter, const Value& a, const Value& b) {
  const bool is_markup = a.is_markup() || b.is_markup();
  const auto part = [&](const Value& v) {
    return is_markup && !v.is_markup() ? escape_html(v.string()) : v.string();
  };
  TERN_TRY(interpreter.charge_string(a.string().size() + b.string().size()));
  return interpreter.string(String{part(a) + part(b), is_markup});
}

Result<Value> concatenate_lists(Interpreter& interpreter, const List& a, const List& b) {
  TERN_TRY(interpreter.charge(0, int64_t(a.items.size() + b.items.size())));
  std::vector<Value> items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return interpreter.list(std::move(items), a.kind);
}

Result<Value> repeat(Interpreter& interpreter, const Value& value, int64_t count) {
  const size_t times = count > 0 ? size_t(count) : 0;
  const size_t size = value.is_string() ? value.string().size() : value.list().items.size();
  if (size > 0 && times > kMaxStringBytes / size)
    return invalid_argument("a repetition exceeds the limits");
  TERN_TRY(interpreter.charge(0, int64_t(times >> 6)));
  if (value.is_string()) {
    std::string text;
    for (size_t i = 0; size > 0 && i < times; ++i) text += value.string();
    return interpreter.string(String{std::move(text), value.is_markup()});
  }
  TERN_TRY(interpreter.charge(size * times * sizeof(Value), int64_t(size * times)));
  std::vector<Value> items;
  for (size_t i = 0; size > 0 && i < times; ++i)
    items.insert(items.end(), value.list().items.begin(), value.list().items.end());
  return make_list(std::move(items), value.list().kind);
}

bool is_sequence(const Value& value) {
  return value.is_string() || (value.is_list() && value.list().kind <= List::Kind::kTuple);
}

}  // namespace

Result<Value> arithmetic(Interpreter& interpreter, std::string_view op, const Value& a,
                         const Value& b) {
  if (op == "~") {
    TERN_ASSIGN(std::string left, to_text(a));
    TERN_ASSIGN(const std::string right, to_text(b));
    return interpreter.string(std::move(left) + right);
  }
  if (op == "%" && a.is_string()) return format_percent(interpreter, a, b);
  TERN_TRY(check_size(a, b));
  if (a.is_number() && b.is_number()) {
    if (!a.is_integer() || !b.is_integer()) return float_arithmetic(op, a.number(), b.number());
    return op == "/" ? true_division(a.integer(), b.integer())
                     : integer_arithmetic(op, a.integer(), b.integer());
  }
  if (op == "+" && a.is_string() && b.is_string()) return concatenate_strings(interpreter, a, b);
  if (op == "+" && a.is_list() && b.is_list() && is_sequence(a) && a.list().kind == b.list().kind)
    return concatenate_lists(interpreter, a.list(), b.list());
  if (const std::string* text = a.text_in_place(); text && op == "+" && b.is_string())
    return arithmetic(interpreter, op, Value(*text), b);
  if (const std::string* text = b.text_in_place(); text && op == "+" && a.is_string())
    return arithmetic(interpreter, op, a, Value(*text));
  if (op == "+" && a.is_blank_none() && b.is_string()) return b;
  if (op == "+" && a.is_string() && b.is_blank_none()) return a;
  if (op == "*" && is_sequence(a) && b.is_integer()) return repeat(interpreter, a, b.integer());
  if (op == "*" && is_sequence(b) && a.is_integer()) return repeat(interpreter, b, a.integer());
  for (const Value* v : {&a, &b})
    if (v->is_undefined()) return invalid_argument(v->undefined_reason());
  return invalid_argument("unsupported operand types for " + std::string(op) + ": " +
                          quoted_type(a) + " and " + quoted_type(b));
}

Result<bool> contains(const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string())
      return type_error(item, "'in <string>' requires a string, not " + quoted_type(item));
    return container.string().find(item.string()) != std::string::npos;
  }
  if (container.is_dict()) {
    TERN_ASSIGN(const Value* member, container.dict().find(item));
    return member != nullptr;
  }
  const auto is_item = [&](const Value& v) { return v.is_same(item) || equal(v, item); };
  if (container.is_list())
    return std::any_of(container.list().items.begin(), container.list().items.end(), is_item);
  TERN_ASSIGN(Iterator iterator, iterator_over(container));
  while (true) {
    TERN_ASSIGN(const std::optional<Value> member, iterator.next());
    if (!member || is_item(*member)) return member.has_value();
  }
}

}  // namespace tern::jinja
