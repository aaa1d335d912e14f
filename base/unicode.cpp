#include "base/unicode.h"

#include "base/utf8_char.h"

namespace tern {

size_t leading_white_space(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const Utf8Char c = first_char(text.substr(size));
    if (!is_white_space(c.code_point)) break;
    size += c.size;
  }
  return size;
}

std::string_view last_character(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0 && (static_cast<unsigned char>(text[--begin]) & 0xc0) == 0x80) {
  }
  return text.substr(begin);
}

size_t trailing_white_space(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const std::string_view last = last_character(text.substr(0, text.size() - size));
    if (!is_white_space(first_char(last).code_point)) break;
    size += last.size();
  }
  return size;
}

}  // namespace tern
