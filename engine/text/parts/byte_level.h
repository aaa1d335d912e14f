// GPT-2's spelling of bytes: each of the 256 is a visible character, so that a vocabulary is text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tern {

/// Appends the characters that stand for `bytes`: "Ġthe" for " the".
void append_byte_level(std::string& out, std::string_view bytes);

/// The bytes that `piece` spells, or nothing where one of its characters stands for no byte.
std::optional<std::string> byte_level_decode(std::string_view piece);

}  // namespace tern
