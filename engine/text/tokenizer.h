// Text to token ids and back, by a model's own tokenizer files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tern {

struct EncodeOptions {
  bool add_special_tokens = true;    ///< what the file's post-processor puts around a text
  bool parse_special_tokens = true;  ///< "<|end|>" in the text is that token; false: plain text
};

/// Immutable after loading; any thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// kInvalidArgument where `text` is not UTF-8 (naming the byte offset) or cannot be encoded.
  virtual Result<std::vector<int32_t>> encode(std::string_view text,
                                              const EncodeOptions& options = {}) const = 0;

  /// The bytes that `id` stands for in the middle of a text: possibly part of a character. Empty
  /// for ids without text (holes in the vocabulary). Special tokens give their content.
  virtual std::string_view token_bytes(int32_t id) const = 0;

  /// The token as the file spells it ("Ġthe").
  virtual std::string_view token_piece(int32_t id) const = 0;

  virtual bool is_special(int32_t id) const = 0;
  virtual std::optional<int32_t> token_id(std::string_view piece) const = 0;
  virtual int32_t vocab_size() const = 0;  ///< largest id + 1

  /// How `characters`, which stand within a text, look in token_bytes(): a tokenizer may change
  /// what it is given before it cuts it. As they are where it does not tell.
  virtual std::string normalized(std::string_view characters) const {
    return std::string(characters);
  }

  /// The text that `ids` are the whole of: without the space that some tokenizers put before the
  /// first word. Bytes that form no character become U+FFFD. Ids out of range are skipped. What
  /// continues a text is, instead, the token_bytes() of its ids.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special_tokens = true) const;
};

/// Loads the tokenizer of a model directory from the first of these that is there:
/// tokenizer.json; tokenizer.model (SentencePiece, or tiktoken's ranks); vocab.json with
/// merges.txt. tokenizer_config.json, special_tokens_map.json and added_tokens.json add tokens to
/// those of any of them, as transformers does; for the last two they also say what is put around a
/// text. kNotFound where there is none; kInvalidArgument naming the part of the file
/// that is broken; kUnimplemented naming a type that tern does not know.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::string& directory);

/// Makes a tokenizer of the text of a tokenizer.json; `source` names it in errors.
Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json,
                                                        const std::string& source);

}  // namespace tern
