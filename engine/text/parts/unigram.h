// Unigram language model: of all ways to cut a piece into tokens, the one whose scores have the
// highest sum.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/text/parts/token_model.h"
#include "engine/text/parts/trie.h"

namespace tern {

struct UnigramOptions {
  std::optional<int32_t> unk_id;  ///< one for all neighbours without a token
  double unk_score = 0;           ///< of a character without a token
  bool byte_fallback = false;     ///< tokens <0x00> to <0xFF> stand for their bytes
  bool single_precision = false;  ///< sums are rounded to float: SentencePiece's own arithmetic
};

class Unigram final : public TokenModel {
 public:
  using Score = std::pair<int32_t, double>;  ///< id, logarithm of a probability

  /// `scores` of the tokens that a text may become. kInvalidArgument where one of them is not a
  /// number, or its token is longer than kMaxPieceBytes.
  static Result<std::unique_ptr<Unigram>> create(Vocabulary vocabulary,
                                                 const std::vector<Score>& scores,
                                                 const UnigramOptions& options);

  /// Bytes of a token.
  static constexpr size_t kMaxPieceBytes = 4096;

  /// O(n) for a piece of n bytes, times the longest token at worst. kInvalidArgument where a
  /// character has no token and there is no unk.
  Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  struct Node;  // the best way to a byte of a piece

  Unigram(Vocabulary vocabulary, const UnigramOptions& options);
  double rounded(double score) const;
  void find_best(std::string_view piece, std::vector<Node>& nodes) const;
  Status emit_unknown(std::string_view text, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  UnigramOptions options_;
  Trie trie_;
  std::vector<double> scores_;  // by id
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace tern
