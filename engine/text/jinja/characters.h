// Properties of characters as Python's str knows them, from utf8proc's tables.
#pragma once

#include <string>
#include <string_view>

namespace tern::jinja {

bool is_python_space(char32_t c);  ///< of str.strip(), str.split() and str.isspace()
bool is_printable(char32_t c);     ///< shown by repr() as it is
bool is_alphabetic(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_word(char32_t c);  ///< \w of regular expressions
bool is_lower(char32_t c);
bool is_upper(char32_t c);
bool is_title(char32_t c);
inline bool is_cased(char32_t c) {
  return is_lower(c) || is_upper(c) || is_title(c);
}

// The whole text in another case. A character may become several.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
std::string casefold(std::string_view text);
std::string swapcase(std::string_view text);
std::string capitalize(std::string_view text);  ///< first letter upper, the rest lower
std::string title(std::string_view text);  ///< the first letter of every word upper, the rest lower

}  // namespace tern::jinja
