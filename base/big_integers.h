// Integers of any size through a JSON library that knows 64 bits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tern {

/// The JSON `text` with each integer that is beyond 64 bits (below -2^63, from 2^64 on) as a string
/// that marks it: a parser would round it to a double without a word.
std::string quote_big_integers(std::string_view text);

/// `text` with what quote_big_integers() has put there as it was.
std::string unquote_big_integers(std::string_view text);

/// The digits of such a string, without its quotes; nothing for any other.
std::optional<std::string_view> find_big_integer(std::string_view string);

}  // namespace tern
