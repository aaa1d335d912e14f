// Byte pair encoding without a list of merges: neighbours merge where the two together are a token,
// the token with the best score first. SentencePiece's kind, and tiktoken's.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/text/parts/merge_symbols.h"
#include "engine/text/parts/token_model.h"
#include "engine/text/parts/trie.h"

namespace tern {

struct ScoredBpeOptions {
  /// By id, as many as the vocabulary has ids; the highest merges first.
  std::vector<float> scores;
  std::vector<int32_t> not_merged;  ///< ids that no merge may give: control tokens, bytes
  std::vector<int32_t> frozen;      ///< ids that are found first and never merge: user's symbols
  std::vector<int32_t> unused;      ///< ids that merges go through but that are taken apart again
  std::optional<int32_t> unk_id;    ///< one for all neighbours without a token; none: they vanish
  bool byte_fallback = false;       ///< tokens <0x00> to <0xFF> stand for their bytes
  bool whole_pieces = false;        ///< a piece that is a token is that token
};

class ScoredBpe final : public TokenModel {
 public:
  /// kInvalidArgument where there are not as many scores as ids, or one is not a number.
  static Result<std::unique_ptr<ScoredBpe>> create(Vocabulary vocabulary, ScoredBpeOptions options);

  /// O(n log n) for a piece of n characters.
  Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  using Splits = std::unordered_map<int32_t, uint32_t>;  // left sizes of unused tokens, by id

  ScoredBpe(Vocabulary vocabulary, ScoredBpeOptions options);
  std::optional<int32_t> find(std::string_view text) const;
  void add_characters(std::string_view piece, SymbolList& symbols) const;
  Splits merge_all(std::string_view piece, SymbolList& symbols) const;
  void emit(std::string_view text, const Splits& splits, std::vector<int32_t>& ids) const;
  void emit_unknown(std::string_view text, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  ScoredBpeOptions options_;
  std::vector<uint8_t> flags_;  // by id
  Trie frozen_;
  std::array<int32_t, 256> byte_ids_{};
  size_t max_piece_size_ = 0;
};

}  // namespace tern
