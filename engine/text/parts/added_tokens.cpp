#include "engine/text/parts/added_tokens.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/io/json_parse.h"

namespace tern {
namespace {

constexpr size_t kMaxContentBytes = 1024;

/// Whether two tokens are one to the library, to which an id is no part of a token.
bool is_same(const AddedToken& a, AddedToken b) {
  b.id = a.id;
  b.normal_text = a.normal_text;
  return a == b;
}

}  // namespace

std::vector<AddedToken> number_added_tokens(std::span<const AddedToken> tokens,
                                            const Vocabulary& vocabulary) {
  std::map<int32_t, AddedToken> by_id;
  std::unordered_map<std::string_view, int32_t> ids;
  std::unordered_set<std::string_view> special;
  int32_t next = vocabulary.num_pieces();  // not its largest id + 1, if there are gaps
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    if (token.special) special.insert(token.content);
    const auto known = ids.find(token.content);
    if (known != ids.end() && is_same(by_id.at(known->second), token)) continue;
    const auto in_vocabulary = vocabulary.find(token.content);
    const int32_t id = known != ids.end() ? known->second : in_vocabulary ? *in_vocabulary : next++;
    ids[token.content] = id;
    AddedToken& numbered = by_id[id];
    const bool was_normal = numbered.normal_text && numbered.content == token.content;
    numbered = token;
    numbered.id = id;
    numbered.normal_text = token.normalized || was_normal;
  }
  std::vector<AddedToken> numbered;
  for (auto& [id, token] : by_id) {
    token.special = special.contains(token.content);
    numbered.push_back(std::move(token));
  }
  return numbered;
}

std::vector<AddedToken> in_adding_order(std::vector<AddedToken> of_file,
                                        const ConfiguredTokens& configured) {
  const size_t num_of_file = of_file.size();
  std::vector<AddedToken> tokens = std::move(of_file);
  const auto has = [](const std::vector<AddedToken>& among, const std::string& content) {
    return std::ranges::find(among, content, &AddedToken::content) != among.end();
  };
  // The library adds again what the configuration lists, or the file where that lists nothing. A
  // token of those that is named is special from then on.
  for (AddedToken& token : tokens)
    token.special |= !configured.are_all && has(configured.named, token.content);
  for (AddedToken token : configured.listed) {
    token.special |= has(configured.named, token.content);
    const auto of_file_end = tokens.begin() + int64_t(num_of_file);
    // The file has the last word against an older list of its kind.
    const auto is_known = [&](const AddedToken& other) {
      return configured.are_all ? is_same(other, token) : other.id == token.id;
    };
    if (std::any_of(tokens.begin(), of_file_end, is_known)) continue;
    tokens.push_back(std::move(token));
  }
  std::vector<AddedToken> more;  // of two with one text the later counts
  for (const auto* named : {&configured.named, &configured.further})
    for (const AddedToken& token : *named)
      if (!has(tokens, token.content)) more.push_back(token);
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

std::vector<AddedToken> keep_or_number(std::vector<AddedToken> tokens,
                                       const Vocabulary& vocabulary) {
  std::unordered_set<std::string_view> contents;
  std::unordered_set<int32_t> ids;
  const bool agree = std::ranges::all_of(tokens, [&](const AddedToken& token) {
    const bool fits = vocabulary.find(token.content) ? vocabulary.piece(token.id) == token.content
                                                     : !vocabulary.has(token.id);
    return fits && !token.content.empty() && token.id < kMaxVocabSize &&
           contents.insert(token.content).second && ids.insert(token.id).second;
  });
  return agree ? std::move(tokens) : number_added_tokens(tokens, vocabulary);
}

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
  size_t done = 0;        // everything before it is in `segments`
  size_t spaces_end = 0;  // of the white space last looked at, which is not looked at again
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
    // The search goes on at the token's own end: white space that it takes may hold another token.
    if (token->lstrip)
      begin = begin > done ? begin - trailing_white_space(text.substr(done, begin - done)) : done;
    if (token->rstrip) {
      if (end > spaces_end) spaces_end = end + leading_white_space(text.substr(end));
      end = spaces_end;
    }
    if (begin >= end) continue;  // one that takes white space itself, all of it taken before
    add_text(begin);
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  add_text(text.size());
  return {};
}

}  // namespace tern
