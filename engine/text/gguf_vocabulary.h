// Tokenizers out of what a GGUF file says of its vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/text/tokenizer.h"

namespace tern {

/// The metadata below `tokenizer.ggml.`, as they stand in the file: the key is the member's name
/// where no other is given. Empty: the file does not say.
struct GgufVocabulary {
  std::string model;                 ///< "llama", "gpt2", "t5", "bert", "gemma4"
  std::string pre;                   ///< which pattern cuts a text (gpt2)
  std::string name;                  ///< general.name
  std::vector<std::string> tokens;   ///< by id
  std::vector<float> scores;         ///< by id, or empty
  std::vector<int32_t> token_types;  ///< by id, or empty; key: token_type
  std::vector<std::string> merges;   ///< "left right"
  // Keys: bos_token_id, eos_token_id, unknown_token_id, seperator_token_id (so spelled).
  std::optional<int32_t> bos_id, eos_id, unk_id, sep_id;
  // Keys: add_bos_token, add_eos_token, …
  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;
  std::string precompiled_charsmap;              ///< its bytes
  std::optional<bool> lowercase, strip_accents;  ///< keys: normalizer.lowercase, …
};

/// kInvalidArgument naming `source` and the key that is broken; kUnimplemented naming a model or a
/// pre that tern does not know. "no_vocab" and "none" are such models: ask for them before.
Result<std::unique_ptr<Tokenizer>> make_gguf_tokenizer(const GgufVocabulary& vocabulary,
                                                       const std::string& source);

}  // namespace tern
