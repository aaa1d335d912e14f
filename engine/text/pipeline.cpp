#include "engine/text/pipeline.h"

#include <algorithm>

#include "base/utf8.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

// A model's heap of merges counts bytes in 31 bits; a normalizer may make 18 of one.
constexpr size_t kMaxTextBytes = size_t(1) << 26;

}  // namespace

Result<std::unique_ptr<Tokenizer>> Pipeline::create(PipelineParts parts) {
  auto pipeline = std::make_unique<Pipeline>();
  pipeline->parts_ = std::move(parts);
  PipelineParts& own = pipeline->parts_;
  for (const AddedToken& token : own.added_tokens) TERN_TRY(pipeline->add(token));
  TERN_TRY(pipeline->make_finders());
  pipeline->fill_bytes();
  return std::unique_ptr<Tokenizer>(std::move(pipeline));
}

Status Pipeline::add(const AddedToken& token) {
  TERN_TRY(added_ids_.add(token.content, token.id));
  added_.emplace(token.id, token);
  return {};
}

/// Tokens that are found in the normalized text are found, and decoded, as the normalizer leaves
/// them; those of which it leaves nothing are never found.
Status Pipeline::make_finders() {
  std::vector<AddedToken> raw, normalized;
  for (AddedToken& token : parts_.added_tokens) {
    if (parts_.normalizer && (token.normalized || token.normal_text)) {
      auto content = parts_.normalizer->apply(token.content, true);
      if (!content.ok()) return content.status().with_context(in_quotes(token.content));
      if (*content != token.content) {
        parts_.surfaces.emplace(token.id, *content);
        // The library asks whether what it decodes is the text of a special token.
        const auto same = added_ids_.find(*content);
        added_.at(token.id).special = same && added_.at(*same).special;
      }
      if (token.normalized) token.content = *std::move(content);
    }
    if (!token.content.empty()) (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  TERN_ASSIGN(raw_finder_, AddedTokenFinder::create(std::move(raw)));
  TERN_ASSIGN(normalized_finder_, AddedTokenFinder::create(std::move(normalized)));
  return {};
}

bool Pipeline::has(int32_t id) const {
  return added_.contains(id) || parts_.model->vocabulary().has(id);
}

std::string Pipeline::surface(int32_t id) const {
  const auto it = parts_.surfaces.find(id);
  return it == parts_.surfaces.end() ? std::string(token_piece(id)) : it->second;
}

void Pipeline::fill_bytes() {
  bytes_.resize(size_t(std::max(parts_.model->vocabulary().size(), added_ids_.size())));
  for (int32_t id = 0; id < int32_t(bytes_.size()); ++id) {
    if (!has(id)) continue;
    std::string bytes = surface(id);
    if (parts_.decoder)
      parts_.decoder->apply_between(bytes);
    else
      bytes.insert(0, " ");
    bytes_[size_t(id)] = std::move(bytes);
  }
}

Status Pipeline::encode_text(std::string_view text, bool at_start, const EncodeOptions& options,
                             std::vector<int32_t>& ids) const {
  std::string normalized(text);
  if (parts_.normalizer) {
    TERN_ASSIGN(normalized, parts_.normalizer->apply(std::move(normalized), at_start));
  }
  std::vector<Segment> segments;
  TERN_TRY(normalized_finder_.split(normalized, options.parse_special_tokens, segments));
  for (const Segment& segment : segments) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    Pieces pieces;
    pieces.add(segment.text);
    pieces.at_start = at_start && &segment == &segments.front();
    if (parts_.pre_tokenizer) {
      TERN_ASSIGN(pieces, parts_.pre_tokenizer->apply(std::move(pieces)));
    }
    TERN_TRY(parts_.model->encode(pieces, ids));
  }
  return {};
}

Result<std::vector<int32_t>> Pipeline::encode(std::string_view text,
                                              const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes)
    return invalid_argument("the text has " + std::to_string(text.size()) + " bytes, limit " +
                            std::to_string(kMaxTextBytes));
  if (const auto offset = find_invalid_utf8(text))
    return invalid_argument("the text is not UTF-8 at byte " + std::to_string(*offset));

  std::vector<Segment> segments;
  TERN_TRY(raw_finder_.split(text, options.parse_special_tokens, segments));
  const TextFrame& frame = parts_.frame;
  std::vector<int32_t> ids;
  if (options.add_special_tokens) ids = frame.before;
  for (const Segment& segment : segments) {
    if (segment.id)
      ids.push_back(*segment.id);
    else
      TERN_TRY(encode_text(segment.text, &segment == &segments.front(), options, ids));
  }
  if (options.add_special_tokens) ids.insert(ids.end(), frame.behind.begin(), frame.behind.end());
  return ids;
}

std::string Pipeline::normalized(std::string_view characters) const {
  std::string text(characters);
  if (!parts_.normalizer) return text;
  // Between digits, which no normalizer changes or composes with others: what is done to the ends
  // of a text is not done to these.
  constexpr char kGuard = '0';
  auto whole = parts_.normalizer->apply(kGuard + text + kGuard, false);
  if (!whole.ok()) return text;
  if (parts_.decoder) parts_.decoder->apply_between(*whole);
  const size_t first = whole->find(kGuard), last = whole->rfind(kGuard);
  if (first == whole->npos || first == last) return text;
  return whole->substr(first + 1, last - first - 1);
}

std::string Pipeline::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids)
    if (has(id) && !(skip_special_tokens && is_special(id))) tokens.push_back(surface(id));
  if (tokens.empty()) return {};
  if (parts_.decoder)
    parts_.decoder->apply(tokens);
  else
    for (size_t i = 1; i < tokens.size(); ++i) tokens[i].insert(0, " ");
  std::string text;
  for (const std::string& token : tokens) text += token;
  return sanitize_utf8(text);
}

std::string_view Pipeline::token_bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[size_t(id)]) : std::string_view();
}

std::string_view Pipeline::token_piece(int32_t id) const {
  const std::string_view added = added_ids_.piece(id);
  return added.empty() ? parts_.model->vocabulary().piece(id) : added;
}

bool Pipeline::is_special(int32_t id) const {
  // A vocabulary may hold a token's text twice: it is special under either id.
  const auto it = added_.find(added_ids_.find(token_piece(id)).value_or(id));
  return it != added_.end() && it->second.special;
}

std::optional<int32_t> Pipeline::token_id(std::string_view piece) const {
  const auto added = added_ids_.find(piece);
  return added ? added : parts_.model->vocabulary().find(piece);
}

}  // namespace tern
