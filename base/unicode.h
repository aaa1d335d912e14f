// The few properties of characters that tern's own code asks for.
#pragma once

#include <string_view>

namespace tern {

/// Unicode's White_Space.
constexpr bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

/// Bytes of white space at the start, and at the end, of valid UTF-8.
size_t leading_white_space(std::string_view text);
size_t trailing_white_space(std::string_view text);

/// The last character of valid UTF-8; empty where `text` is.
std::string_view last_character(std::string_view text);

}  // namespace tern
