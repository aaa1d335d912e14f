#include "engine/text/added_tokens.h"

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr size_t kMaxContentBytes = 1024;

uint64_t edge(uint32_t node, char byte) {
  return uint64_t(node) << 8 | static_cast<uint8_t>(byte);
}

}  // namespace

Result<AddedTokenFinder> AddedTokenFinder::create(std::vector<AddedToken> tokens) {
  AddedTokenFinder finder;
  finder.tokens_ = std::move(tokens);
  for (size_t i = 0; i < finder.tokens_.size(); ++i) {
    const AddedToken& token = finder.tokens_[i];
    if (token.content.empty() || token.content.size() > kMaxContentBytes)
      return invalid_argument("added token " + in_quotes(token.content) + " has " +
                              std::to_string(token.content.size()) + " bytes, not 1 to " +
                              std::to_string(kMaxContentBytes));
    uint32_t node = 0;
    for (const char byte : token.content) {
      uint32_t& next =
          node == 0 ? finder.root_[static_cast<uint8_t>(byte)] : finder.children_[edge(node, byte)];
      if (next == kNone) {
        next = uint32_t(finder.ends_.size());
        finder.ends_.push_back(-1);
      }
      node = next;
    }
    finder.ends_[node] = int32_t(i);
    if (token.single_word && !finder.word_) {
      TERN_ASSIGN(finder.word_, Regex::compile("\\w"));
    }
  }
  return finder;
}

uint32_t AddedTokenFinder::child(uint32_t node, char byte) const {
  if (node == 0) return root_[static_cast<uint8_t>(byte)];
  const auto it = children_.find(edge(node, byte));
  return it == children_.end() ? kNone : it->second;
}

const AddedToken* AddedTokenFinder::longest_match(std::string_view text) const {
  const AddedToken* longest = nullptr;
  uint32_t node = 0;
  for (const char byte : text) {
    node = child(node, byte);
    if (node == kNone) break;
    if (ends_[node] >= 0) longest = &tokens_[size_t(ends_[node])];
  }
  return longest;
}

Result<bool> AddedTokenFinder::may_stand(const AddedToken& token, std::string_view before,
                                         std::string_view behind) const {
  if (!token.single_word) return true;
  const std::string_view next = behind.empty() ? behind : behind.substr(0, first_char(behind).size);
  std::vector<Span> words;
  TERN_TRY(word_->find_all(last_character(before), words));
  TERN_TRY(word_->find_all(next, words));
  return words.empty();
}

Status AddedTokenFinder::split(std::string_view text, bool parse_special,
                               std::vector<Segment>& segments) const {
  size_t done = 0;  // everything before it is in `segments`
  const auto add_text = [&](size_t end) {
    if (end > done) segments.push_back({text.substr(done, end - done), std::nullopt});
  };
  for (size_t i = 0; i < text.size();) {
    const AddedToken* token = longest_match(text.substr(i));
    if (!token) {
      ++i;
      continue;
    }
    size_t begin = i, end = i + token->content.size();
    i = end;  // also where it is refused here: that is how the format is defined
    if (token->special && !parse_special) continue;
    TERN_ASSIGN(const bool ok, may_stand(*token, text.substr(0, begin), text.substr(end)));
    if (!ok) continue;
    if (token->lstrip) begin -= trailing_white_space(text.substr(done, begin - done));
    if (token->rstrip) end += leading_white_space(text.substr(end));
    add_text(begin);
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = i = end;
  }
  add_text(text.size());
  return {};
}

}  // namespace tern
