// The pieces of a tokenizer's model, by id and by spelling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace tern {

/// Ids that a tokenizer may use: 0 to this, less one. The largest vocabularies have 262,144.
inline constexpr int64_t kMaxVocabSize = int64_t(4) << 20;

class Vocabulary {
 public:
  /// kInvalidArgument where `id` is out of range, or `piece` or `id` is there already.
  Status add(std::string_view piece, int64_t id) { return add(piece, id, false); }

  /// Adds as add() does, but a piece may have several ids: find() gives the last one.
  Status add_again(std::string_view piece, int64_t id) { return add(piece, id, true); }

  std::optional<int32_t> find(std::string_view piece) const {
    const auto it = ids_.find(piece);
    return it == ids_.end() ? std::nullopt : std::optional(it->second);
  }

  /// Empty where no piece has this id.
  std::string_view piece(int32_t id) const {
    return id >= 0 && size_t(id) < pieces_.size() && pieces_[size_t(id)] ? *pieces_[size_t(id)]
                                                                         : std::string_view();
  }

  bool has(int32_t id) const {
    return id >= 0 && size_t(id) < pieces_.size() && pieces_[size_t(id)];
  }

  int32_t num_pieces() const { return num_pieces_; }        ///< ids that have one
  int32_t size() const { return int32_t(pieces_.size()); }  ///< largest id + 1

 private:
  Status add(std::string_view piece, int64_t id, bool again);

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  int32_t num_pieces_ = 0;
  std::vector<const std::string*> pieces_;  // keys of ids_, whose nodes stay where they are
};

}  // namespace tern
