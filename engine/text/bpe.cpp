#include "engine/text/bpe.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8_char.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

/// A token of the word under way, linked to its neighbours.
struct Symbol {
  int32_t id = 0;
  int32_t previous = -1;  ///< index, or -1
  int32_t next = -1;      ///< index, or -1
  bool merged = false;    ///< into the one before it
};

/// A merge that was possible when it was entered.
struct Candidate {
  uint32_t rank = 0;
  int32_t left = 0;  ///< index of the left symbol
  int32_t id = 0;    ///< of the token that would come of it

  /// For std::push_heap: the smallest rank first, then the leftmost.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }
};

}  // namespace

struct Bpe::Word {
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;

  void clear() {
    symbols.clear();
    heap.clear();
  }

  void add(int32_t id) {
    const auto index = int32_t(symbols.size());
    if (index > 0) symbols.back().next = index;
    symbols.push_back({.id = id, .previous = index - 1});
  }
};

Result<std::unique_ptr<Bpe>> Bpe::create(Vocabulary vocabulary, const std::vector<Pair>& merges,
                                         const BpeOptions& options) {
  std::unique_ptr<Bpe> bpe(new Bpe(std::move(vocabulary), options));
  bpe->merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    int32_t ids[3];
    const std::string* const tokens[3] = {&left, &right, nullptr};
    const std::string whole = left + right;
    for (int i = 0; i < 3; ++i) {
      const std::string& token = tokens[i] ? *tokens[i] : whole;
      const auto id = bpe->vocabulary_.find(token);
      if (!id)
        return invalid_argument("merges[" + std::to_string(rank) + "]: " + in_quotes(token) +
                                " is not in the vocabulary");
      ids[i] = *id;
    }
    bpe->merges_[pair_key(ids[0], ids[1])] = {uint32_t(rank), ids[2]};
  }
  return bpe;
}

const Bpe::Merge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto it = merges_.find(pair_key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

bool Bpe::add_bytes(std::string_view character, Word& word) const {
  int32_t ids[4];
  for (size_t i = 0; i < character.size(); ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned char>(character[i]));
    const auto id = vocabulary_.find(name);
    if (!id) return false;
    ids[i] = *id;
  }
  for (size_t i = 0; i < character.size(); ++i) word.add(ids[i]);
  return true;
}

void Bpe::add_characters(std::string_view piece, Word& word) const {
  word.symbols.reserve(piece.size());
  bool after_unk = false;
  while (!piece.empty()) {
    const std::string_view character = piece.substr(0, first_char(piece).size);
    piece.remove_prefix(character.size());
    if (const auto id = vocabulary_.find(character)) {
      word.add(*id);
      after_unk = false;
    } else if (options_.byte_fallback && add_bytes(character, word)) {
      after_unk = false;
    } else if (options_.unk_id && !(options_.fuse_unk && after_unk)) {
      word.add(*options_.unk_id);
      after_unk = true;
    }
  }
}

void Bpe::add_candidate(Word& word, int32_t left) const {
  if (left < 0 || word.symbols[left].next < 0) return;
  const Symbol& symbol = word.symbols[left];
  const Merge* merge = find_merge(symbol.id, word.symbols[symbol.next].id);
  if (!merge) return;
  word.heap.push_back({merge->rank, left, merge->id});
  std::push_heap(word.heap.begin(), word.heap.end());
}

void Bpe::merge_all(Word& word) const {
  word.heap.reserve(word.symbols.size());
  for (int32_t i = 0; i + 1 < int32_t(word.symbols.size()); ++i) add_candidate(word, i);
  while (!word.heap.empty()) {
    std::pop_heap(word.heap.begin(), word.heap.end());
    const Candidate top = word.heap.back();
    word.heap.pop_back();
    Symbol& left = word.symbols[top.left];
    if (left.merged || left.next < 0) continue;
    Symbol& right = word.symbols[left.next];
    const Merge* merge = find_merge(left.id, right.id);
    if (!merge || merge->id != top.id) continue;  // one of the two has changed since
    left.id = top.id;
    left.next = right.next;
    right.merged = true;
    if (left.next >= 0) word.symbols[left.next].previous = top.left;
    add_candidate(word, left.previous);
    add_candidate(word, top.left);
  }
}

Status Bpe::encode(const Pieces& pieces, std::vector<int32_t>& ids) const {
  Word word;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (options_.ignore_merges) {
      if (const auto id = vocabulary_.find(pieces[i])) {
        ids.push_back(*id);
        continue;
      }
    }
    word.clear();
    add_characters(pieces[i], word);
    if (word.symbols.empty()) continue;
    merge_all(word);
    for (int32_t at = 0; at >= 0; at = word.symbols[at].next) ids.push_back(word.symbols[at].id);
  }
  return {};
}

}  // namespace tern
