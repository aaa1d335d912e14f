// Filters on numbers.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/interpreter.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

using Args = const CallArgs&;

/// `text` without the underscores that Python lets stand between digits; nothing where one stands
/// elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  const auto is_digit_at = [&](size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i]));
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_')
      out += text[i];
    else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1))
      return std::nullopt;
  }
  return out;
}

/// Python's int(text, base); nothing where it raises ValueError.
Result<std::optional<int64_t>> parse_integer(std::string_view text, int64_t base) {
  auto digits = without_underscores(strip(text));
  if (!digits) return std::optional<int64_t>();
  std::string_view rest = *digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const char letter = rest.size() > 2 && rest[0] == '0' ? char(rest[1] | 0x20) : ' ';
  const int64_t prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (prefix > 0 && (base == prefix || base == 0)) {
    rest.remove_prefix(2);
    base = prefix;
  } else if (base == 0) {
    if (rest.size() > 1 && rest[0] == '0' && rest.find_first_not_of('0') != rest.npos)
      return std::optional<int64_t>();
    base = 10;
  }
  if (base < 2 || base > 36) return std::optional<int64_t>();
  if (rest.empty() || rest[0] == '-') return std::optional<int64_t>();
  const std::string number = (negative ? "-" : "") + std::string(rest);
  int64_t value = 0;
  const char* end = number.data() + number.size();
  const auto result = std::from_chars(number.data(), end, value, int(base));
  if (result.ptr != end) return std::optional<int64_t>();
  if (result.ec == std::errc::result_out_of_range)
    return invalid_argument("integer " + number.substr(0, 40) + " exceeds 64 bits");
  return result.ec == std::errc() ? std::optional<int64_t>(value) : std::nullopt;
}

/// Python's float(text); nothing where it raises ValueError.
std::optional<double> parse_float(std::string_view text) {
  const auto digits = without_underscores(strip(text));
  if (!digits || digits->empty()) return std::nullopt;
  if (digits->find_first_of("xXpP(") != digits->npos) return std::nullopt;  // strtod's own
  char* end = nullptr;
  const double value = std::strtod(digits->c_str(), &end);
  if (end != digits->c_str() + digits->size()) return std::nullopt;
  return value;
}

Result<Value> truncated(double number) {
  if (!(number >= -0x1p63 && number < 0x1p63))
    return invalid_argument("a float is beyond 64 bits as an integer");
  return Value(int64_t(number));
}

Result<Value> run_int(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"default", "base"}));
  TERN_ASSIGN(const int64_t base, a.integer(1, 10));
  const Value otherwise = a[0] ? *a[0] : Value(int64_t(0));
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is_big_integer()) return value;
  if (value.is_integer()) return Value(value.integer());
  if (value.is_float()) return std::isnan(value.number()) ? otherwise : truncated(value.number());
  if (!value.is_string()) return otherwise;
  TERN_ASSIGN(const std::optional<int64_t> integer, parse_integer(value.string(), base));
  if (integer) return Value(*integer);
  const std::optional<double> real = parse_float(value.string());  // "42.23" gives 42
  return real && std::isfinite(*real) ? truncated(*real) : otherwise;
}

Result<Value> run_float(Interpreter&, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"default"}));
  if (value.is_undefined()) return invalid_argument(value.undefined_reason());
  if (value.is_number()) return Value(value.number());
  const auto real = value.is_string() ? parse_float(value.string()) : std::nullopt;
  return real ? Value(*real) : a[0] ? *a[0] : Value(0.0);
}

Result<Value> run_abs(Interpreter& interpreter, const Value& value, Args args) {
  TERN_TRY(bind(args, {}).status());
  if (!value.is_number())
    return type_error(value, "bad operand type for abs(): " + quoted_type(value));
  if (value.is_float()) return Value(std::abs(value.number()));
  return value.integer() < 0 ? arithmetic(interpreter, "-", Value(int64_t(0)), value)
                             : Value(value.integer());
}

/// Python's round(): to even where two are as near; exact, as decimal digits are.
double rounded(double number, int64_t precision) {
  if (!std::isfinite(number) || precision > 320) return number;
  if (precision < -310) return std::copysign(0.0, number);
  if (precision < 0) {
    const double scale = std::pow(10.0, double(-precision));
    return std::nearbyint(number / scale) * scale;
  }
  char text[700];
  std::snprintf(text, sizeof text, "%.*f", int(precision), number);
  return std::strtod(text, nullptr);
}

Result<Value> rounded_integer(int64_t number, int64_t precision) {
  if (precision >= 0) return Value(number);
  if (precision < -18) return Value(int64_t(0));
  __int128 scale = 1;
  for (int64_t i = precision; i < 0; ++i) scale *= 10;
  __int128 quotient = number / scale, rest = number % scale;
  const __int128 twice = (rest < 0 ? -rest : rest) * 2;
  if (twice > scale || (twice == scale && quotient % 2 != 0)) quotient += number < 0 ? -1 : 1;
  const __int128 value = quotient * scale;
  if (value > INT64_MAX || value < INT64_MIN) return invalid_argument("an integer exceeds 64 bits");
  return Value(int64_t(value));
}

Result<Value> run_round(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"precision", "method"}));
  TERN_ASSIGN(const int64_t precision, a.integer(0, 0));
  TERN_ASSIGN(const std::string method, a.string(1, "common"));
  if (method != "common" && method != "ceil" && method != "floor")
    return invalid_argument("method must be common, ceil or floor");
  if (!value.is_number()) return type_error(value, "cannot round " + quoted_type(value));
  if (method == "common")
    return value.is_float() ? Value(rounded(value.number(), precision))
                            : rounded_integer(value.integer(), precision);
  TERN_ASSIGN(const Value scale,
              arithmetic(interpreter, "**", Value(int64_t(10)), Value(precision)));
  TERN_ASSIGN(const Value scaled, arithmetic(interpreter, "*", value, scale));
  const double number = scaled.number();
  TERN_ASSIGN(const Value whole,
              scaled.is_integer()
                  ? Result<Value>(scaled)
                  : truncated(method == "ceil" ? std::ceil(number) : std::floor(number)));
  return arithmetic(interpreter, "/", whole, scale);
}

Result<Value> run_filesizeformat(Interpreter& interpreter, const Value& value, Args args) {
  TERN_ASSIGN(const Bound a, bind(args, {"binary"}));
  const bool binary = a.truthy(0, false);
  const auto parsed = value.is_number()   ? std::optional<double>(value.number())
                      : value.is_string() ? parse_float(value.string())
                                          : std::nullopt;
  if (!parsed) return type_error(value, "no number of bytes: " + quoted_type(value));
  const double base = binary ? 1024 : 1000, bytes = *parsed;
  if (bytes == 1) return interpreter.string("1 Byte");
  if (bytes < base) {
    TERN_ASSIGN(const Value whole, truncated(bytes));
    return interpreter.string(std::to_string(whole.integer()) + " Bytes");
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base * base;
  size_t i = 0;
  for (; i + 1 < kPrefixes.size() && !(bytes < unit); ++i) unit *= base;
  TERN_ASSIGN(std::string text, format_float(base * bytes / unit, {.precision = 1, .type = 'f'}));
  text += ' ';
  text += binary ? char(kPrefixes[i] & ~0x20) : kPrefixes[i];
  return interpreter.string(text + (binary ? "iB" : "B"));
}

constexpr Filter kFilters[] = {
    {"int", run_int},
    {"float", run_float},
    {"abs", run_abs},
    {"round", run_round},
    {"filesizeformat", run_filesizeformat},
};

}  // namespace

const Filter* find_number_filter(std::string_view name) {
  return find_row(kFilters, name);
}

}  // namespace tern::jinja
