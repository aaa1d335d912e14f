#include "engine/text/parts/bpe.h"

#include <algorithm>

#include "base/utf8_char.h"
#include "engine/io/json_parse.h"
#include "engine/text/parts/byte_tokens.h"

namespace tern {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, BpeOptions options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  if (options_.byte_fallback) byte_ids_ = find_byte_tokens(vocabulary_);
}

Result<std::unique_ptr<Bpe>> Bpe::create(Vocabulary vocabulary, const std::vector<Pair>& merges,
                                         BpeOptions options) {
  std::unique_ptr<Bpe> bpe(new Bpe(std::move(vocabulary), std::move(options)));
  bpe->merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) TERN_TRY(bpe->add_merge(merges[rank], rank));
  return bpe;
}

Status Bpe::add_merge(const Pair& merge, size_t rank) {
  const auto& [left, right] = merge;
  // The prefix says that a token does not begin a word: within the merged one it is gone.
  const size_t prefix_size = std::min(options_.continuing_subword_prefix.size(), right.size());
  const std::string whole = left + right.substr(prefix_size);
  int32_t ids[3];
  const std::string* const tokens[3] = {&left, &right, &whole};
  for (int i = 0; i < 3; ++i) {
    const auto id = vocabulary_.find(*tokens[i]);
    if (!id)
      return invalid_argument("merges[" + std::to_string(rank) + "]: " + in_quotes(*tokens[i]) +
                              " is not in the vocabulary");
    ids[i] = *id;
  }
  merges_[pair_key(ids[0], ids[1])] = {float(rank), ids[2]};
  return {};
}

std::optional<int32_t> Bpe::find_character(std::string_view character, bool first,
                                           bool last) const {
  const std::string& prefix = options_.continuing_subword_prefix;
  const std::string& suffix = options_.end_of_word_suffix;
  if ((first || prefix.empty()) && (!last || suffix.empty())) return vocabulary_.find(character);
  return vocabulary_.find((first ? "" : prefix) + std::string(character) + (last ? suffix : ""));
}

bool Bpe::add_bytes(std::string_view character, size_t begin, SymbolList& symbols) const {
  for (const char c : character)
    if (byte_ids_[static_cast<uint8_t>(c)] < 0) return false;
  for (const char c : character) symbols.add(byte_ids_[static_cast<uint8_t>(c)], begin++, 1);
  return true;
}

void Bpe::add_characters(std::string_view piece, SymbolList& symbols) const {
  symbols.reserve(num_chars(piece));
  size_t unk_begin = 0, unk_size = 0;  // not yet added: it may grow
  const auto flush = [&] {
    if (unk_size > 0) symbols.add(*options_.unk_id, unk_begin, unk_size);
    unk_size = 0;
  };
  for (size_t begin = 0, size = 0; begin < piece.size(); begin += size) {
    size = first_char(piece.substr(begin)).size;
    const std::string_view character = piece.substr(begin, size);
    if (const auto id = find_character(character, begin == 0, begin + size == piece.size())) {
      flush();
      symbols.add(*id, begin, size);
    } else if (options_.byte_fallback && add_bytes(character, begin, symbols)) {
    } else if (options_.unk_id) {
      if (!options_.fuse_unk) flush();
      if (unk_size == 0) unk_begin = begin;
      unk_size += size;
    }
  }
  flush();
}

Status Bpe::encode(const Pieces& pieces, std::vector<int32_t>& ids) const {
  const auto find = [this](const Symbol& left, const Symbol& right) {
    const auto it = merges_.find(pair_key(left.id, right.id));
    return it == merges_.end() ? nullptr : &it->second;
  };
  SymbolList symbols;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (options_.ignore_merges) {
      if (const auto id = vocabulary_.find(pieces[i])) {
        ids.push_back(*id);
        continue;
      }
    }
    symbols.clear();
    add_characters(pieces[i], symbols);
    symbols.merge_all(find);
    symbols.for_each([&](const Symbol& symbol) { ids.push_back(symbol.id); });
  }
  return {};
}

}  // namespace tern
