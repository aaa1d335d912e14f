#include "base/big_integers.h"

#include <algorithm>

namespace tern {
namespace {

// U+FDD0 is no character, and never will be.
constexpr std::string_view kMark = "\uFDD0integer ";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t count_digits(std::string_view text) {
  return size_t(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

bool is_beyond_64_bits(std::string_view digits, bool is_negative) {
  const std::string_view most = is_negative ? "9223372036854775808" : "18446744073709551615";
  return digits.size() != most.size() ? digits.size() > most.size() : digits > most;
}

// Bytes of the number at the beginning of `text`: "-12.5e+3".
size_t number_size(std::string_view text) {
  constexpr std::string_view kOfNumbers = "+-.eE";
  return size_t(std::find_if_not(
                    text.begin(), text.end(),
                    [&](char c) { return is_digit(c) || kOfNumbers.find(c) != kOfNumbers.npos; }) -
                text.begin());
}

bool is_big_integer(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (is_negative) number.remove_prefix(1);
  return !number.empty() && count_digits(number) == number.size() && number[0] != '0' &&
         is_beyond_64_bits(number, is_negative);
}

}  // namespace

std::string quote_big_integers(std::string_view text) {
  std::string out;
  size_t done = 0;  // of `text`, in `out`
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '"') in_string = !in_string;
    if (in_string && text[i] == '\\') ++i;
    if (in_string || !(is_digit(text[i]) || text[i] == '-')) {
      ++i;
      continue;
    }
    const std::string_view number = text.substr(i, number_size(text.substr(i)));
    if (is_big_integer(number)) {
      out += text.substr(done, i - done);
      out += '"' + std::string(kMark) + std::string(number) + '"';
      done = i + number.size();
    }
    i += number.size();
  }
  return out += text.substr(std::min(done, text.size()));
}

std::optional<std::string_view> find_big_integer(std::string_view string) {
  if (!string.starts_with(kMark)) return std::nullopt;
  string.remove_prefix(kMark.size());
  return is_big_integer(string) ? std::optional(string) : std::nullopt;
}

std::string unquote_big_integers(std::string_view text) {
  const std::string quoted_mark = '"' + std::string(kMark);
  std::string out;
  for (size_t at = text.find(quoted_mark); at != text.npos; at = text.find(quoted_mark)) {
    const std::string_view rest = text.substr(at + 1);
    const auto number = find_big_integer(rest.substr(0, rest.find('"')));
    out += text.substr(0, at);
    out += number ? std::string(*number) : quoted_mark;
    text.remove_prefix(at + (number ? kMark.size() + number->size() + 2 : quoted_mark.size()));
  }
  return out += text;
}

}  // namespace tern
