#include "engine/text/jinja/strings.h"

#include <algorithm>
#include <charconv>

#include "base/unicode.h"
#include "base/utf8_char.h"

namespace tern::jinja {
namespace {

/// What str.strip() and str.split() count as white space.
bool is_python_space(char32_t c) {
  return is_white_space(c) || (c >= 0x1c && c <= 0x1f);
}

bool is_stripped(std::string_view character, std::optional<std::string_view> set) {
  return set ? set->find(character) != set->npos
             : is_python_space(first_char(character).code_point);
}

/// The letter in the other case, where the two stand in a regular pattern.
char32_t lower_of(char32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7)) return c + 32;
  if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
  if (c >= 0x410 && c <= 0x42f) return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  const bool odd_pairs = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
  const bool even_pairs = (c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14a && c <= 0x177);
  if (odd_pairs && c % 2 == 1) return c + 1;
  if (even_pairs && c % 2 == 0) return c + 1;
  return c == 0x178 ? 0xff : c;
}

char32_t upper_of(char32_t c) {
  if (c == 0xff) return 0x178;
  if (c == 0xb5) return 0x39c;
  if (c == 0x3c2) return 0x3a3;
  for (const char32_t distance : {1, 32, 80})
    if (c > distance && lower_of(c - distance) == c && lower_of(c - distance) != c - distance)
      return c - distance;
  return c;
}

bool is_letter(char32_t c) {
  return lower_of(c) != c || upper_of(c) != c || c == 0xdf;
}

template <class F>
std::string map_characters(std::string_view text, F f) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = first_char(text);
    f(out, c.code_point);
    text.remove_prefix(c.size);
  }
  return out;
}

void append_upper(std::string& out, char32_t c) {
  if (c == 0xdf)
    out += "SS";
  else
    append_utf8(out, upper_of(c));
}

std::vector<std::string> split_at_space(std::string_view text, int64_t max_splits) {
  std::vector<std::string> parts;
  for (text = strip_left(text); !text.empty(); text = strip_left(text)) {
    if (max_splits >= 0 && int64_t(parts.size()) == max_splits) {
      parts.emplace_back(text);  // Python keeps the white space at its end here
      break;
    }
    size_t end = 0;
    for (; end < text.size(); end += first_char(text.substr(end)).size)
      if (is_python_space(first_char(text.substr(end)).code_point)) break;
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return parts;
}

std::vector<std::string> split_at_space_from_right(std::string_view text, int64_t max_splits) {
  std::vector<std::string> parts;
  for (text = strip_right(text); !text.empty(); text = strip_right(text)) {
    if (max_splits >= 0 && int64_t(parts.size()) == max_splits) {
      parts.emplace_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      const std::string_view last = last_character(text.substr(0, begin));
      if (is_python_space(first_char(last).code_point)) break;
      begin -= last.size();
    }
    parts.emplace_back(text.substr(begin));
    text = text.substr(0, begin);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

int hex_digits_of(char c) {
  return c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
}

/// A simple escape's character, or 0.
char simple_escape(char c) {
  constexpr std::string_view kLetters = "nrtbfav\\'\"", kValues = "\n\r\t\b\f\a\v\\'\"";
  const size_t i = kLetters.find(c);
  return i == kLetters.npos ? '\0' : kValues[i];
}

}  // namespace

std::string_view strip_left(std::string_view text, std::optional<std::string_view> set) {
  while (!text.empty()) {
    const size_t size = first_char(text).size;
    if (!is_stripped(text.substr(0, size), set)) break;
    text.remove_prefix(size);
  }
  return text;
}

std::string_view strip_right(std::string_view text, std::optional<std::string_view> set) {
  while (!text.empty()) {
    const std::string_view last = last_character(text);
    if (!is_stripped(last, set)) break;
    text.remove_suffix(last.size());
  }
  return text;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> set) {
  return strip_right(strip_left(text, set), set);
}

std::string to_lower(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) { append_utf8(out, lower_of(c)); });
}

std::string to_upper(std::string_view text) {
  return map_characters(text, append_upper);
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  const size_t first = first_char(text).size;
  return to_upper(text.substr(0, first)) + to_lower(text.substr(first));
}

std::string title(std::string_view text) {
  bool in_word = false;
  return map_characters(text, [&](std::string& out, char32_t c) {
    if (in_word)
      append_utf8(out, lower_of(c));
    else
      append_upper(out, c);
    in_word = is_letter(c);
  });
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               int64_t max_splits) {
  if (!separator) return split_at_space(text, max_splits);
  std::vector<std::string> parts;
  for (; max_splits != 0; --max_splits) {
    const size_t end = text.find(*separator);
    if (end == text.npos) break;
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + separator->size());
  }
  parts.emplace_back(text);
  return parts;
}

std::vector<std::string> split_from_right(std::string_view text,
                                          std::optional<std::string_view> separator,
                                          int64_t max_splits) {
  if (!separator) return split_at_space_from_right(text, max_splits);
  std::vector<std::string> parts;
  for (; max_splits != 0; --max_splits) {
    const size_t begin = text.rfind(*separator);
    if (begin == text.npos) break;
    parts.emplace_back(text.substr(begin + separator->size()));
    text = text.substr(0, begin);
  }
  parts.emplace_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\n\r\v\f\x1c\x1d\x1e"), text.size());
    const size_t end_size = text.substr(end).starts_with("\r\n") ? 2 : end < text.size();
    lines.emplace_back(text.substr(0, end + (keep_ends ? end_size : 0)));
    text.remove_prefix(end + end_size);
  }
  return lines;
}

Result<std::string> replace_all(std::string_view text, std::string_view old_part,
                                std::string_view new_part, int64_t max_count, size_t max_bytes) {
  std::string out;
  while (max_count != 0 && out.size() <= max_bytes) {
    const size_t at = text.find(old_part);
    if (at == text.npos) break;
    // An empty old part stands before every character, and at the end.
    const size_t next = old_part.empty() && !text.empty() ? first_char(text).size : 0;
    out += text.substr(0, at);
    out += new_part;
    out += text.substr(0, next);
    text.remove_prefix(at + old_part.size() + next);
    if (max_count > 0) --max_count;
    if (old_part.empty() && next == 0) break;
  }
  out += text;
  if (out.size() > max_bytes)
    return invalid_argument("a string exceeds " + std::to_string(max_bytes) + " bytes");
  return out;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t plain = std::min(text.find('\\'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.size() < 2) break;
    const char c = text[1];
    text.remove_prefix(2);
    if (const int digits = hex_digits_of(c)) {
      uint32_t code = 0;
      const char* end = text.data() + std::min<size_t>(size_t(digits), text.size());
      const auto [stop, error] = std::from_chars(text.data(), end, code, 16);
      const bool is_scalar = code < 0xd800 || (code > 0xdfff && code <= 0x10ffff);
      if (error != std::errc() || stop != text.data() + digits || !is_scalar)
        return invalid_argument(std::string("a string holds a broken \\") + c);
      append_utf8(out, code);
      text.remove_prefix(size_t(digits));
    } else if (const char simple = simple_escape(c)) {
      out += simple;
    } else if (c != '\n') {  // an escaped line end is nothing; anything unknown stays as it is
      out += {'\\', c};
    }
  }
  return out;
}

}  // namespace tern::jinja
