// A text as its tokenizer sees it, before it is cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace tern {

struct SeenText {
  std::string bytes;           ///< in which token_bytes() are found, one after the other
  std::vector<int32_t> chars;  ///< for each byte and the end: the character of the text it is of
};

/// `text`, valid UTF-8, normalized character by character, marks with what they stand on. As it is
/// where `tokenizer` is null.
SeenText see_text(std::string_view text, const Tokenizer* tokenizer);

}  // namespace tern
