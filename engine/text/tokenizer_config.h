// What a model directory says of its tokenizer beside the vocabulary: tokenizer_config.json, and
// the older special_tokens_map.json and added_tokens.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/added_tokens.h"

namespace tern {

struct TokenizerConfig {
  std::string source;           ///< the file's path, for errors
  std::string tokenizer_class;  ///< without "Fast" at its end; empty: not said
  std::optional<bool> add_bos_token, add_eos_token, add_prefix_space, legacy;
  std::string bos_token, eos_token;  ///< empty: not said
  ConfiguredTokens tokens;
};

/// Reads the files of `directory`; says nothing where there are none. kInvalidArgument naming the
/// key that is broken.
Result<TokenizerConfig> read_tokenizer_config(const std::string& directory);

/// Its tokens alone: all that a tokenizer.json needs.
Result<ConfiguredTokens> read_configured_tokens(const std::string& directory);

/// The special tokens of `directory` by their names, in the order in which transformers adds them:
/// an object from "bos_token", … to a text, or for lists of tokens to an array of texts. Names that
/// the files do not mention have what the tokenizer's class gives them.
Result<nlohmann::ordered_json> read_special_tokens(const std::string& directory);

}  // namespace tern
