// Numbers by the rules of Python's format specifications.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/utf8_char.h"
#include "engine/text/jinja/format.h"
#include "engine/text/jinja/strings.h"

namespace tern::jinja {
namespace {

/// `digits` with a separator between groups of `size`, from the right.
std::string grouped(std::string_view digits, char separator, size_t size) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string sign_of(bool negative, const FormatSpec& spec) {
  if (negative) return "-";
  return spec.sign == '-' ? "" : std::string(1, spec.sign);
}

/// A number of `prefix` (sign and base), `digits` and `rest` (point and what follows).
std::string laid_out(const std::string& prefix, std::string digits, const std::string& rest,
                     const FormatSpec& spec, size_t group_size) {
  const bool zeros = spec.align == '=' && spec.fill == "0";
  const size_t others = prefix.size() + rest.size();
  if (spec.grouping) {
    size_t count = digits.size();  // zeros in front get separators too
    while (zeros && count + (count - 1) / group_size + others < spec.width) ++count;
    digits.insert(0, count - digits.size(), '0');
    digits = grouped(digits, spec.grouping, group_size);
  }
  if (spec.align == '=') {
    const size_t size = others + digits.size();
    return prefix + pad(digits, spec.width > size ? spec.width - size : 0, 0, spec.fill) + rest;
  }
  return padded(prefix + digits + rest, spec, '>');
}

std::string printed(const char* format, int precision, double number) {
  char buffer[512];
  const int size = std::snprintf(buffer, sizeof buffer, format, precision, number);
  if (size < int(sizeof buffer)) return buffer;
  std::string text(size_t(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), format, precision, number);
  text.pop_back();
  return text;
}

/// Formats a number without a type as repr() has it, or in so many digits with one behind the point
/// at least.
std::string general_text(double number, int precision, bool alternate) {
  if (precision < 0) return float_text(number);
  precision = std::max(precision, 1);
  const std::string scientific = printed("%.*e", precision - 1, number);
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= precision - 1) {
    std::string text = printed(alternate ? "%#.*e" : "%.*e", precision - 1, number);
    const size_t e = text.find('e'), point = text.find('.');
    if (alternate || point == text.npos) return text;
    size_t end = e;  // zeros at the end of the digits go
    while (text[end - 1] == '0') --end;
    if (text[end - 1] == '.') --end;
    return text.erase(end, e - end);
  }
  std::string text = printed(alternate ? "%#.*g" : "%.*g", precision, number);
  return text.find('.') == text.npos ? text + ".0" : text;
}

Result<std::string> float_digits(double number, const FormatSpec& spec) {
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  const std::string sharp = spec.alternate ? "#" : "";
  switch (spec.type) {
    case 0:
      return general_text(number, spec.precision, spec.alternate);
    case '%':
      return printed(("%" + sharp + ".*f").c_str(), precision, number * 100) + "%";
    case 'n':
      return printed(("%" + sharp + ".*g").c_str(), precision, number);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return printed(("%" + sharp + ".*" + spec.type).c_str(), precision, number);
    default:
      return invalid_argument(std::string("unknown format code '") + spec.type + "' for a float");
  }
}

Status check_grouping(const FormatSpec& spec) {
  const bool is_based =
      spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X';
  if (spec.grouping && (spec.type == 'c' || spec.type == 'n' || (is_based && spec.grouping == ',')))
    return invalid_argument(std::string("cannot specify '") + spec.grouping + "' with '" +
                            spec.type + "'");
  return {};
}

std::string digits_of(uint64_t number, uint64_t base, bool upper) {
  const std::string_view letters = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out += letters[number % base];
    number /= base;
  } while (number > 0);
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::string padded(std::string_view text, const FormatSpec& spec, char fallback) {
  const size_t size = num_chars(text);
  const size_t space = spec.width > size ? spec.width - size : 0;
  const char align = spec.align ? spec.align : fallback;
  const size_t left = align == '<' ? 0 : align == '^' ? space / 2 : space;
  return pad(text, left, space - left, spec.fill);
}

Result<std::string> format_integer(int64_t number, const FormatSpec& spec) {
  TERN_TRY(check_grouping(spec));
  if (spec.type == 'c') {
    const bool is_character = number >= 0 && number <= 0x10ffff && (number & ~0x7ff) != 0xd800;
    if (!is_character) return invalid_argument("%c arg not in range(0x110000)");
    std::string text;
    append_utf8(text, char32_t(number));
    return padded(text, spec, '<');
  }
  const bool is_decimal = spec.type == 0 || spec.type == 'd' || spec.type == 'n';
  const char letter = char(spec.type | 0x20);
  const uint64_t base = is_decimal ? 10 : letter == 'x' ? 16 : spec.type == 'o' ? 8 : 2;
  if (base == 2 && spec.type != 'b')
    return invalid_argument(std::string("unknown format code '") + spec.type + "' for an int");
  const uint64_t size = number < 0 ? uint64_t(0) - uint64_t(number) : uint64_t(number);
  std::string digits = digits_of(size, base, spec.type == 'X');
  if (spec.precision > int(digits.size()))
    digits.insert(0, size_t(spec.precision) - digits.size(), '0');
  std::string prefix = sign_of(number < 0, spec);
  if (spec.alternate && !is_decimal) prefix += {'0', spec.type};
  return laid_out(prefix, std::move(digits), "", spec, is_decimal ? 3 : 4);
}

Result<std::string> format_float(double number, const FormatSpec& spec) {
  if (spec.type == 'n' && spec.grouping) TERN_TRY(check_grouping(spec));
  std::string text;
  if (std::isfinite(number)) {
    TERN_ASSIGN(text, float_digits(std::abs(number), spec));
  } else {
    TERN_TRY(float_digits(0, spec).status());
    const bool upper = spec.type == 'E' || spec.type == 'F' || spec.type == 'G';
    text = std::isnan(number) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
    if (spec.type == '%') text += '%';
  }
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const bool negative = std::signbit(number) && !std::isnan(number);
  return laid_out(sign_of(negative, spec), text.substr(0, end), text.substr(end), spec, 3);
}

}  // namespace tern::jinja
