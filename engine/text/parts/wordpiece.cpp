#include "engine/text/parts/wordpiece.h"

#include <algorithm>

#include "base/unicode.h"
#include "base/utf8_char.h"

namespace tern {

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  for (int32_t id = 0; id < vocabulary_.size(); ++id)
    max_piece_size_ = std::max(max_piece_size_, vocabulary_.piece(id).size());
}

bool WordPiece::encode_word(const std::string& word, std::vector<int32_t>& ids) const {
  std::string piece;
  for (size_t begin = 0; begin < word.size();) {
    piece = begin == 0 ? "" : options_.continuing_subword_prefix;
    const size_t prefix_size = piece.size();
    piece += word.substr(begin, max_piece_size_ + 4);  // 4: no character cut before the limit
    std::optional<int32_t> id;
    while (piece.size() > prefix_size && !(id = vocabulary_.find(piece)))
      piece.resize(piece.size() - last_character(piece).size());
    if (!id) return false;
    ids.push_back(*id);
    begin += piece.size() - prefix_size;
  }
  return true;
}

Status WordPiece::encode(const Pieces& pieces, std::vector<int32_t>& ids) const {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t num_before = ids.size();
    const bool fits = num_chars(pieces[i]) <= options_.max_input_chars_per_word;
    if (fits && encode_word(options_.word_prefix + std::string(pieces[i]), ids)) continue;
    ids.resize(num_before);
    ids.push_back(options_.unk_id);
  }
  return {};
}

}  // namespace tern
