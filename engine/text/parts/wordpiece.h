// WordPiece: a word is its longest token from the front, then the longest for the rest, and so on;
// or unknown as a whole.
#pragma once

#include <memory>
#include <string>

#include "engine/text/parts/token_model.h"

namespace tern {

struct WordPieceOptions {
  int32_t unk_id = 0;
  std::string word_prefix;                       ///< put before every word
  std::string continuing_subword_prefix = "##";  ///< before every token of a word but the first
  size_t max_input_chars_per_word = 100;         ///< longer words are unknown
};

class WordPiece final : public TokenModel {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceOptions options);

  /// O(n) for a word of n bytes, times the longest token at worst.
  Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  bool encode_word(const std::string& word, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  size_t max_piece_size_ = 0;
};

}  // namespace tern
