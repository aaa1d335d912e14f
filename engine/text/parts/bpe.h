// Byte pair encoding: a piece's characters, merged pair by pair in the order in which training
// learned.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/text/parts/merge_symbols.h"
#include "engine/text/parts/token_model.h"

namespace tern {

struct BpeOptions {
  std::optional<int32_t> unk_id;  ///< stands for characters without a token; none: they vanish
  bool fuse_unk = false;          ///< one unk for several such characters in a row
  bool byte_fallback = false;     ///< tokens <0x00> to <0xFF> stand for their bytes
  bool ignore_merges = false;  ///< a piece that is a token is that token, whatever the merges say
  std::string continuing_subword_prefix;  ///< before every character of a piece but the first
  std::string end_of_word_suffix;         ///< behind the last character of a piece
};

class Bpe final : public TokenModel {
 public:
  using Pair = std::pair<std::string, std::string>;

  /// `merges` in the order of training; a pair that comes twice has its last rank. kInvalidArgument
  /// where a part of a merge, or the two together, is no token.
  static Result<std::unique_ptr<Bpe>> create(Vocabulary vocabulary, const std::vector<Pair>& merges,
                                             BpeOptions options);

  /// O(n log n) for a piece of n characters.
  Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Bpe(Vocabulary vocabulary, BpeOptions options);
  Status add_merge(const Pair& merge, size_t rank);
  std::optional<int32_t> find_character(std::string_view character, bool first, bool last) const;
  bool add_bytes(std::string_view spelled, size_t begin, SymbolList& symbols) const;
  void add_characters(std::string_view piece, SymbolList& symbols) const;

  Vocabulary vocabulary_;
  BpeOptions options_;
  std::array<int32_t, 256> byte_ids_{};         // where byte_fallback
  std::unordered_map<uint64_t, Merge> merges_;  // by the ids of both parts
};

}  // namespace tern
