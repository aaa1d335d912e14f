// Byte pair encoding: a piece's characters, merged pair by pair in the order in which training
// learned.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/text/token_model.h"

namespace tern {

struct BpeOptions {
  std::optional<int32_t> unk_id;  ///< stands for characters without a token; none: they vanish
  bool fuse_unk = false;          ///< one unk for several such characters in a row
  bool byte_fallback = false;     ///< tokens <0x00> to <0xFF> stand for their bytes
  bool ignore_merges = false;  ///< a piece that is a token is that token, whatever the merges say
};

class Bpe final : public TokenModel {
 public:
  using Pair = std::pair<std::string, std::string>;

  /// `merges` in the order of training; a pair that comes twice has its last rank. kInvalidArgument
  /// where a part of a merge, or the two together, is no token.
  static Result<std::unique_ptr<Bpe>> create(Vocabulary vocabulary, const std::vector<Pair>& merges,
                                             const BpeOptions& options);

  /// O(n log n) for a piece of n characters.
  Status encode(const Pieces& pieces, std::vector<int32_t>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  struct Merge {
    uint32_t rank = 0;
    int32_t id = 0;  ///< of the token that the pair becomes
  };
  struct Word;

  Bpe(Vocabulary vocabulary, const BpeOptions& options)
      : vocabulary_(std::move(vocabulary)), options_(options) {}
  const Merge* find_merge(int32_t left, int32_t right) const;
  void add_characters(std::string_view piece, Word& word) const;
  bool add_bytes(std::string_view character, Word& word) const;
  void add_candidate(Word& word, int32_t left) const;
  void merge_all(Word& word) const;

  Vocabulary vocabulary_;
  BpeOptions options_;
  std::unordered_map<uint64_t, Merge> merges_;  // by the ids of both parts
};

}  // namespace tern
