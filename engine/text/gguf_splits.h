// The ways to cut a text that `tokenizer.ggml.pre` names.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "engine/text/parts/pre_tokenizer.h"

namespace tern {

struct GgufSplit {
  std::span<const std::string_view> patterns;  ///< one after the other; matches are isolated
  bool digit_groups = false;   ///< before the patterns, digits in threes from the right
  bool ignore_merges = false;  ///< a piece that is a token is that token
  bool add_bos = false;        ///< where the file does not say
  bool spells_bytes = true;    ///< false: the vocabulary is text, with U+2581 for a space
};

/// Nothing where tern does not know `pre`.
std::optional<GgufSplit> find_gguf_split(std::string_view pre);

}  // namespace tern
