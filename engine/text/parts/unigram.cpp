#include "engine/text/parts/unigram.h"

#include <algorithm>
#include <cmath>

#include "base/utf8_char.h"
#include "engine/io/json_parse.h"
#include "engine/text/parts/byte_tokens.h"

namespace tern {
namespace {

constexpr int32_t kUnknown = -1;

}  // namespace

struct Unigram::Node {
  double score = 0;
  uint32_t size = 0;  // of the last token; 0: no way leads here yet
  int32_t id = 0;     // of the last token, or kUnknown

  void offer(double offered, size_t token_size, int32_t token) {
    if (size == 0 || offered > score) *this = {offered, uint32_t(token_size), token};
  }
};

Unigram::Unigram(Vocabulary vocabulary, const UnigramOptions& options)
    : vocabulary_(std::move(vocabulary)), options_(options), scores_(size_t(vocabulary_.size())) {
  byte_ids_.fill(-1);
  if (options_.byte_fallback) byte_ids_ = find_byte_tokens(vocabulary_);
}

Result<std::unique_ptr<Unigram>> Unigram::create(Vocabulary vocabulary,
                                                 const std::vector<Score>& scores,
                                                 const UnigramOptions& options) {
  std::unique_ptr<Unigram> unigram(new Unigram(std::move(vocabulary), options));
  std::vector<Trie::Entry> entries;
  entries.reserve(scores.size());
  for (const auto& [id, score] : scores) {
    const std::string_view piece = unigram->vocabulary_.piece(id);
    if (std::isnan(score))
      return invalid_argument("the score of token " + in_quotes(piece) + " is not a number");
    if (piece.size() > kMaxPieceBytes)
      return invalid_argument("token " + in_quotes(piece) + " has " + std::to_string(piece.size()) +
                              " bytes, limit " + std::to_string(kMaxPieceBytes));
    unigram->scores_[size_t(id)] = score;
    if (!piece.empty()) entries.emplace_back(piece, id);
  }
  unigram->trie_ = Trie(std::move(entries));
  return unigram;
}

double Unigram::rounded(double score) const {
  return options_.single_precision ? double(float(score)) : score;
}

void Unigram::find_best(std::string_view piece, std::vector<Node>& nodes) const {
  nodes.assign(piece.size() + 1, {});
  for (size_t begin = 0, size = 0; begin < piece.size(); begin += size) {
    size = first_char(piece.substr(begin)).size;
    const double here = nodes[begin].score;
    bool has_single = false;
    uint32_t trie_node = Trie::kRoot;
    for (size_t end = begin; end < piece.size();) {
      trie_node = trie_.child(trie_node, piece[end++]);
      if (trie_node == Trie::kNone) break;
      const int32_t id = trie_.value(trie_node);
      if (id < 0) continue;
      const int32_t token = id == options_.unk_id ? kUnknown : id;
      nodes[end].offer(rounded(here + scores_[size_t(id)]), end - begin, token);
      has_single |= end == begin + size;
    }
    if (!has_single) nodes[begin + size].offer(rounded(here + options_.unk_score), size, kUnknown);
  }
}

Status Unigram::emit_unknown(std::string_view text, std::vector<int32_t>& ids) const {
  // A text that spells the unk token, or several characters that are a token only together.
  if (const Trie::Match match = trie_.longest_prefix(text); match.size == text.size()) {
    ids.push_back(match.value);
    return {};
  }
  const auto byte_id = [this](char c) { return byte_ids_[static_cast<uint8_t>(c)]; };
  if (std::ranges::all_of(text, [&](char c) { return byte_id(c) >= 0; })) {
    for (const char c : text) ids.push_back(byte_id(c));
    return {};
  }
  if (!options_.unk_id)
    return invalid_argument("the vocabulary has no token for " + in_quotes(text) +
                            " and none for unknown characters");
  ids.push_back(*options_.unk_id);
  return {};
}

Status Unigram::encode(const Pieces& pieces, std::vector<int32_t>& ids) const {
  std::vector<Node> nodes;
  std::vector<uint32_t> ends;  // of the best tokens, from the last to the first
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view piece = pieces[i];
    find_best(piece, nodes);
    ends.clear();
    for (size_t end = piece.size(); end > 0; end -= nodes[end].size) ends.push_back(uint32_t(end));
    for (size_t at = ends.size(); at-- > 0;) {
      const Node& node = nodes[ends[at]];
      if (node.id != kUnknown) {
        ids.push_back(node.id);
        continue;
      }
      const size_t begin = ends[at] - node.size;
      while (at > 0 && nodes[ends[at - 1]].id == kUnknown) --at;
      TERN_TRY(emit_unknown(piece.substr(begin, ends[at] - begin), ids));
    }
  }
  return {};
}

}  // namespace tern
