#include "engine/text/jinja/strings.h"

#include <algorithm>
#include <charconv>

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/text/jinja/characters.h"

namespace tern::jinja {
namespace {

bool is_stripped(std::string_view character, std::optional<std::string_view> set) {
  return set ? set->find(character) != set->npos
             : is_python_space(first_char(character).code_point);
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
  const auto is_line_end = [](char32_t c) {
    return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
  };
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = 0;
    Utf8Char c;
    for (; end < text.size(); end += c.size) {
      c = first_char(text.substr(end));
      if (is_line_end(c.code_point)) break;
    }
    const size_t end_size = end == text.size()                     ? 0
                            : text.substr(end).starts_with("\r\n") ? 2
                                                                   : c.size;
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

std::string pad(std::string_view text, size_t left, size_t right, std::string_view fill) {
  std::string out;
  out.reserve(text.size() + (left + right) * fill.size());
  for (size_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (size_t i = 0; i < right; ++i) out += fill;
  return out;
}

std::string escape_html(std::string_view text) {
  constexpr std::string_view kSpecial = "&<>'\"";
  constexpr std::string_view kNames[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  std::string out;
  for (const char c : text) {
    const size_t i = kSpecial.find(c);
    out += i == kSpecial.npos ? std::string_view(&c, 1) : kNames[i];
  }
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
    } else if (c >= '0' && c <= '7') {
      char32_t code = char32_t(c - '0');
      for (int i = 0; i < 2 && !text.empty() && text[0] >= '0' && text[0] <= '7'; ++i) {
        code = code * 8 + char32_t(text[0] - '0');
        text.remove_prefix(1);
      }
      append_utf8(out, code);
    } else if (c == 'N') {
      return Status(Code::kUnimplemented, "tern does not know \\N{…} in strings");
    } else if (c != '\n') {  // an escaped line end is nothing; anything unknown stays as it is
      out += {'\\', c};
    }
  }
  return out;
}

}  // namespace tern::jinja
