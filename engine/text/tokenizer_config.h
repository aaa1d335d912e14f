// tokenizer_config.json: what a model directory says of its tokenizer beside the vocabulary.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/added_tokens.h"

namespace tern {

struct TokenizerConfig {
  std::string source;           ///< the file's path, for errors
  std::string tokenizer_class;  ///< without "Fast" at its end; empty: not said
  std::optional<bool> add_bos_token, add_eos_token, add_prefix_space, legacy;
  std::string bos_token, eos_token;      ///< empty: not said
  std::vector<AddedToken> added_tokens;  ///< added_tokens_decoder
};

/// Reads `directory`/tokenizer_config.json; says nothing where there is none. kInvalidArgument
/// naming the key that is broken.
Result<TokenizerConfig> read_tokenizer_config(const std::string& directory);

}  // namespace tern
