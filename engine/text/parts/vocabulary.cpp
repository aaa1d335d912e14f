#include "engine/text/parts/vocabulary.h"

#include "engine/io/json_parse.h"

namespace tern {

Status Vocabulary::add(std::string_view piece, int64_t id, bool again) {
  const std::string named = "token " + in_quotes(piece);
  if (id < 0 || id >= kMaxVocabSize)
    return invalid_argument(named + ": id " + std::to_string(id) + " is not from 0 to " +
                            std::to_string(kMaxVocabSize - 1));
  if (has(int32_t(id)))
    return invalid_argument(named + ": id " + std::to_string(id) + " is also that of " +
                            in_quotes(this->piece(int32_t(id))));
  const auto [it, is_new] = ids_.emplace(piece, int32_t(id));
  if (!is_new && !again) return invalid_argument(named + " has two ids");
  it->second = int32_t(id);
  if (size_t(id) >= pieces_.size()) pieces_.resize(size_t(id) + 1);
  pieces_[size_t(id)] = &it->first;
  ++num_pieces_;
  return {};
}

}  // namespace tern
