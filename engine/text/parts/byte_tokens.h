// The tokens <0x00> to <0xFF>: what stands for the bytes of characters without a token.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/text/parts/vocabulary.h"

namespace tern {

/// "<0x0A>" for 10.
std::string byte_token_name(uint8_t byte);

/// The byte that `piece` names, in either case of its digits; nothing where it names none.
std::optional<uint8_t> parse_byte_token(std::string_view piece);

/// Ids by byte; -1 where the vocabulary has no such token.
std::array<int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary);

}  // namespace tern
