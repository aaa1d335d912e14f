#include "engine/text/parts/scored_bpe.h"

#include <algorithm>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/io/json_parse.h"
#include "engine/text/parts/byte_tokens.h"

namespace tern {
namespace {

constexpr uint8_t kNotMerged = 1, kUnused = 2;

}  // namespace

ScoredBpe::ScoredBpe(Vocabulary vocabulary, ScoredBpeOptions options)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      flags_(size_t(vocabulary_.size())) {
  for (const int32_t id : options_.not_merged) flags_[size_t(id)] |= kNotMerged;
  for (const int32_t id : options_.unused) flags_[size_t(id)] |= kUnused;
  std::vector<Trie::Entry> frozen;
  for (const int32_t id : options_.frozen) frozen.emplace_back(vocabulary_.piece(id), id);
  frozen_ = Trie(std::move(frozen));
  byte_ids_.fill(-1);
  if (options_.byte_fallback) byte_ids_ = find_byte_tokens(vocabulary_);
  for (int32_t id = 0; id < vocabulary_.size(); ++id)
    max_piece_size_ = std::max(max_piece_size_, vocabulary_.piece(id).size());
}

Result<std::unique_ptr<ScoredBpe>> ScoredBpe::create(Vocabulary vocabulary,
                                                     ScoredBpeOptions options) {
  if (options.scores.size() != size_t(vocabulary.size()))
    return invalid_argument("there are " + std::to_string(options.scores.size()) + " scores for " +
                            std::to_string(vocabulary.size()) + " tokens");
  for (size_t id = 0; id < options.scores.size(); ++id)
    if (std::isnan(options.scores[id]))
      return invalid_argument("the score of token " + in_quotes(vocabulary.piece(int32_t(id))) +
                              " is not a number");
  return std::unique_ptr<ScoredBpe>(new ScoredBpe(std::move(vocabulary), std::move(options)));
}

std::optional<int32_t> ScoredBpe::find(std::string_view text) const {
  if (text.size() > max_piece_size_) return std::nullopt;
  const auto id = vocabulary_.find(text);
  return id && !(flags_[size_t(*id)] & kNotMerged) ? id : std::nullopt;
}

void ScoredBpe::add_characters(std::string_view piece, SymbolList& symbols) const {
  symbols.reserve(num_chars(piece));
  for (size_t begin = 0; begin < piece.size();) {
    const std::string_view rest = piece.substr(begin);
    Trie::Match match = frozen_.longest_prefix(rest);
    const bool frozen = match.size > 0;
    if (!frozen) {
      match.size = first_char(rest).size;
      match.value = find(rest.substr(0, match.size)).value_or(-1);
    }
    symbols.add(match.value, begin, match.size, frozen);
    begin += match.size;
  }
}

ScoredBpe::Splits ScoredBpe::merge_all(std::string_view piece, SymbolList& symbols) const {
  Splits splits;
  Merge merge;
  symbols.merge_all([&](const Symbol& left, const Symbol& right) -> const Merge* {
    if (left.frozen || right.frozen) return nullptr;
    const auto id = find(piece.substr(left.begin, left.size + right.size));
    if (!id) return nullptr;
    if (flags_[size_t(*id)] & kUnused) splits[*id] = left.size;
    merge = {-options_.scores[size_t(*id)], *id};
    return &merge;
  });
  return splits;
}

void ScoredBpe::emit_unknown(std::string_view text, std::vector<int32_t>& ids) const {
  const auto byte_id = [this](char c) { return byte_ids_[static_cast<uint8_t>(c)]; };
  if (std::ranges::all_of(text, [&](char c) { return byte_id(c) >= 0; })) {
    for (const char c : text) ids.push_back(byte_id(c));
  } else if (options_.unk_id && (ids.empty() || ids.back() != *options_.unk_id)) {
    ids.push_back(*options_.unk_id);
  }
}

void ScoredBpe::emit(std::string_view text, const Splits& splits, std::vector<int32_t>& ids) const {
  const auto id = find(text);
  if (!id) return emit_unknown(text, ids);
  const auto split = flags_[size_t(*id)] & kUnused ? splits.find(*id) : splits.end();
  if (split == splits.end()) return ids.push_back(*id);
  emit(text.substr(0, split->second), splits, ids);
  emit(text.substr(split->second), splits, ids);
}

Status ScoredBpe::encode(const Pieces& pieces, std::vector<int32_t>& ids) const {
  std::vector<int32_t> own;  // so that an unk joins no unk of before
  SymbolList symbols;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view piece = pieces[i];
    if (options_.whole_pieces) {
      if (const auto id = find(piece)) {
        own.push_back(*id);
        continue;
      }
    }
    symbols.clear();
    add_characters(piece, symbols);
    const Splits splits = merge_all(piece, symbols);
    symbols.for_each([&](const Symbol& symbol) {
      if (symbol.id >= 0 && !(flags_[size_t(symbol.id)] & kUnused))
        own.push_back(symbol.id);
      else
        emit(piece.substr(symbol.begin, symbol.size), splits, own);
    });
  }
  ids.insert(ids.end(), own.begin(), own.end());
  return {};
}

}  // namespace tern
