#include "engine/text/parts/added_tokens.h"

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr size_t kMaxContentBytes = 1024;

}  // namespace

Result<AddedTokenFinder> AddedTokenFinder::create(std::vector<AddedToken> tokens) {
  AddedTokenFinder finder;
  finder.tokens_ = std::move(tokens);
  std::vector<Trie::Entry> entries;
  for (size_t i = 0; i < finder.tokens_.size(); ++i) {
    const AddedToken& token = finder.tokens_[i];
    entries.emplace_back(token.content, int32_t(i));
    if (token.content.empty() || token.content.size() > kMaxContentBytes)
      return invalid_argument("added token " + in_quotes(token.content) + " has " +
                              std::to_string(token.content.size()) + " bytes, not 1 to " +
                              std::to_string(kMaxContentBytes));
    if (token.single_word && !finder.word_) {
      TERN_ASSIGN(finder.word_, Regex::compile("\\w"));
    }
  }
  finder.trie_ = Trie(std::move(entries));
  return finder;
}

const AddedToken* AddedTokenFinder::longest_match(std::string_view text) const {
  const Trie::Match match = trie_.longest_prefix(text);
  return match.size > 0 ? &tokens_[size_t(match.value)] : nullptr;
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
