#include "engine/text/pipeline.h"

#include <algorithm>

#include "base/utf8.h"
#include "engine/io/json_parse.h"
#include "engine/text/byte_level.h"

namespace tern {
namespace {

// A model's heap of merges counts characters in 32 bits.
constexpr size_t kMaxTextBytes = size_t(1) << 29;

}  // namespace

Result<std::unique_ptr<Tokenizer>> Pipeline::create(PipelineParts parts) {
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->pre_tokenizer_ = std::move(parts.pre_tokenizer);
  pipeline->model_ = std::move(parts.model);
  pipeline->frame_ = std::move(parts.frame);
  for (const auto* tokens : {&parts.raw_tokens, &parts.normalized_tokens})
    for (const AddedToken& token : *tokens) TERN_TRY(pipeline->add(token));
  TERN_ASSIGN(pipeline->raw_finder_, AddedTokenFinder::create(std::move(parts.raw_tokens)));
  TERN_ASSIGN(pipeline->normalized_finder_,
              AddedTokenFinder::create(std::move(parts.normalized_tokens)));
  for (const auto* ids : {&pipeline->frame_.before, &pipeline->frame_.behind})
    for (const int32_t id : *ids)
      if (pipeline->token_piece(id).empty())
        return invalid_argument("the post-processor's id " + std::to_string(id) + " is no token");
  pipeline->fill_bytes();
  return std::unique_ptr<Tokenizer>(std::move(pipeline));
}

Status Pipeline::add(const AddedToken& token) {
  TERN_TRY(added_ids_.add(token.content, token.id));
  const Vocabulary& vocabulary = model_->vocabulary();
  const auto known_id = vocabulary.find(token.content);
  const bool fits = known_id ? *known_id == token.id : !vocabulary.has(token.id);
  if (!fits)
    return invalid_argument("added token " + in_quotes(token.content) + " has id " +
                            std::to_string(token.id) + ", but in the model's vocabulary " +
                            (known_id ? "its id is " + std::to_string(*known_id)
                                      : "that is " + in_quotes(vocabulary.piece(token.id))));
  added_.emplace(token.id, token);
  return {};
}

void Pipeline::fill_bytes() {
  const Vocabulary& vocabulary = model_->vocabulary();
  bytes_.resize(size_t(std::max(vocabulary.size(), added_ids_.size())));
  for (int32_t id = 0; id < int32_t(bytes_.size()); ++id) {
    const std::string_view piece = token_piece(id);
    // Added tokens stand in the text unspelled; so does what is no spelling at all.
    std::optional<std::string> bytes;
    if (!added_.contains(id)) bytes = byte_level_decode(piece);
    bytes_[size_t(id)] = bytes ? *std::move(bytes) : std::string(piece);
  }
}

Result<std::vector<int32_t>> Pipeline::encode(std::string_view text,
                                              const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes)
    return invalid_argument("the text has " + std::to_string(text.size()) + " bytes, limit " +
                            std::to_string(kMaxTextBytes));
  if (const auto offset = find_invalid_utf8(text))
    return invalid_argument("the text is not UTF-8 at byte " + std::to_string(*offset));

  std::vector<Segment> raw, segments;
  TERN_TRY(raw_finder_.split(text, options.parse_special_tokens, raw));
  for (const Segment& segment : raw) {
    if (segment.id)
      segments.push_back(segment);
    else
      TERN_TRY(normalized_finder_.split(segment.text, options.parse_special_tokens, segments));
  }

  std::vector<int32_t> ids;
  if (options.add_special_tokens) ids = frame_.before;
  for (const Segment& segment : segments) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    Pieces pieces;
    pieces.add(segment.text);
    if (pre_tokenizer_) {
      TERN_ASSIGN(pieces, pre_tokenizer_->apply(std::move(pieces)));
    }
    TERN_TRY(model_->encode(pieces, ids));
  }
  if (options.add_special_tokens) ids.insert(ids.end(), frame_.behind.begin(), frame_.behind.end());
  return ids;
}

std::string_view Pipeline::token_bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[size_t(id)]) : std::string_view();
}

std::string_view Pipeline::token_piece(int32_t id) const {
  const std::string_view added = added_ids_.piece(id);
  return added.empty() ? model_->vocabulary().piece(id) : added;
}

bool Pipeline::is_special(int32_t id) const {
  const auto it = added_.find(id);
  return it != added_.end() && it->second.special;
}

std::optional<int32_t> Pipeline::token_id(std::string_view piece) const {
  const auto added = added_ids_.find(piece);
  return added ? added : model_->vocabulary().find(piece);
}

}  // namespace tern
