// One UTF-8 character at a time: what everything here that looks at characters is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

struct Utf8Char {
  enum class State : uint8_t {
    kValid,
    kInvalid,     ///< `size` bytes form no character (the maximal part that one U+FFFD replaces)
    kIncomplete,  ///< all `size` bytes to the end of the text begin a character
  };
  State state = State::kValid;
  uint8_t size = 0;         ///< bytes, >= 1
  char32_t code_point = 0;  ///< where valid
};

/// The character at the start of `text`, which is not empty.
Utf8Char first_char(std::string_view text);

/// Appends `code_point`, a Unicode scalar value, to `out`.
void append_utf8(std::string& out, char32_t code_point);

/// Number of characters of valid UTF-8.
size_t num_chars(std::string_view text);

/// Byte offset of the character `index` of valid UTF-8; text.size() where there are fewer.
size_t char_offset(std::string_view text, size_t index);

}  // namespace tern
