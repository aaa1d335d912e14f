#include "server/http/text_offsets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "base/utf8_char.h"
#include "engine/text/seen_text.h"

namespace tern::http {
namespace {

// Finds the tokens of a text in it, one after the other.
class TokenFinder {
 public:
  TokenFinder(const SeenText& seen, std::vector<std::string_view> tokens)
      : seen_(seen), text_(seen.bytes), tokens_(std::move(tokens)) {}

  std::vector<int32_t> run() {
    for (size_t i = 0; i < tokens_.size();)
      if (!take(i))
        i = take_unknown(i);
      else
        ++i;
    return std::move(offsets_);
  }

 private:
  // White space that a special token swallowed, or that a tokenizer dropped.
  static constexpr size_t kMostSkipped = 8;
  // How far what a tokenizer has no token for may reach, and over how many of its tokens.
  static constexpr size_t kMostUnknown = 4096, kMostUnknownTokens = 64;
  // How far a single unknown token may reach where nothing but the token behind it tells.
  static constexpr size_t kMostBetween = 256;

  // Bytes that `token` takes at `at`: some tokenizers put a space in front of a first word.
  std::optional<size_t> size_at(size_t at, std::string_view token) const {
    const std::string_view rest = text_.substr(std::min(at, text_.size()));
    if (rest.starts_with(token)) return token.size();
    if (token.starts_with(' ') && rest.starts_with(token.substr(1))) return token.size() - 1;
    return std::nullopt;
  }

  size_t next_shown(size_t i) const {
    while (i < tokens_.size() && tokens_[i].empty()) ++i;
    return i;
  }

  // Whether the text goes on at `at`, or shortly behind, with the token behind `i`.
  bool goes_on(size_t i, size_t at) const {
    const size_t next = next_shown(i + 1);
    if (next == tokens_.size() || size_at(at, tokens_[next])) return true;
    const std::string_view near =
        text_.substr(std::min(at, text_.size()), kMostSkipped + tokens_[next].size());
    return near.find(tokens_[next]) != near.npos;
  }

  void put(size_t at) { offsets_.push_back(seen_.chars[std::min(at, text_.size())]); }

  // Token `i`, where it stands here or shortly behind.
  bool take(size_t i) {
    const std::string_view token = tokens_[i];
    std::optional<size_t> size = size_at(at_, token);
    if (!size) {
      const size_t found = text_.substr(at_, kMostSkipped + token.size()).find(token);
      if (found == text_.npos || !goes_on(i, at_ + found + token.size())) return false;
      at_ += found;
      size = token.size();
    }
    put(at_);
    at_ += *size;
    return true;
  }

  // Tokens from `i` on that are spelled otherwise than the text: unknown ones. Up to the next that
  // is found; the index of that one. Where there is none near, all that were looked for are
  // unknown: none is looked for twice.
  size_t take_unknown(size_t i) {
    const size_t last = std::min(tokens_.size(), i + kMostUnknownTokens);
    size_t end = last, until = text_.size();
    for (size_t next = next_shown(i + 1); next < last; next = next_shown(next + 1)) {
      if (const auto at = find_behind(next)) {
        end = next;
        until = *at;
        break;
      }
    }
    take_between(i, end, until);
    return end;
  }

  // Tokens `i` to `end`, which end at `until`. Some of them may stand in the text between unknown
  // ones; each of the others takes a character at least.
  void take_between(size_t i, size_t end, size_t until) {
    size_t from = at_, num_behind = num_shown(i + 1, end);
    bool is_behind_unknown = true;
    for (size_t k = next_shown(i + 1); k < end; k = next_shown(k + 1)) {
      --num_behind;
      if (std::exchange(is_behind_unknown, true)) from += step(from);
      const std::string_view near = text_.substr(0, std::min(until, from + kMostBetween));
      const size_t at = near.find(tokens_[k], from);
      if (at == near.npos || chars_between(at + tokens_[k].size(), until) < num_behind) continue;
      put_unknown(i, k, at);
      put(at);
      from = at_ = at + tokens_[k].size();
      i = k + 1;
      is_behind_unknown = false;
    }
    put_unknown(i, end, until);
  }

  // The last of tokens `i` to `end` takes what the others leave.
  void put_unknown(size_t i, size_t end, size_t until) {
    for (size_t k = i; k < end; ++k) {
      put(at_);
      if (tokens_[k].empty()) continue;
      const bool is_last = next_shown(k + 1) >= end && until < text_.size();
      at_ = is_last ? until : std::min(until, at_ + step(at_));
    }
  }

  size_t num_shown(size_t i, size_t end) const {
    size_t num = 0;
    for (size_t k = i; k < end; ++k) num += !tokens_[k].empty();
    return num;
  }

  size_t chars_between(size_t begin, size_t end) const {
    return size_t(seen_.chars[end] - seen_.chars[begin]);
  }

  // Bytes of the character at `at`.
  size_t step(size_t at) const { return at < text_.size() ? first_char(text_.substr(at)).size : 0; }

  // Where token `i` stands at or behind this place, with the one behind it.
  std::optional<size_t> find_behind(size_t i) const {
    const std::string_view window = text_.substr(0, std::min(text_.size(), at_ + kMostUnknown));
    for (size_t at = window.find(tokens_[i], at_); at != window.npos;
         at = window.find(tokens_[i], at + 1))
      if (goes_on(i, at + tokens_[i].size())) return at;
    return std::nullopt;
  }

  const SeenText& seen_;
  std::string_view text_;
  std::vector<std::string_view> tokens_;
  std::vector<int32_t> offsets_;
  size_t at_ = 0;
};

// Which of `ids` are tokens of `text` itself, and not what encoding has put around it.
std::vector<bool> are_of_text(const std::vector<int32_t>& ids, const std::string& text,
                              EncodeOptions encode, const Tokenizer& tokenizer) {
  std::vector<bool> out(ids.size(), true);
  if (!std::exchange(encode.add_special_tokens, false)) return out;
  const Result<std::vector<int32_t>> own = tokenizer.encode(text, encode);
  if (!own.ok()) return out;
  const auto begin = std::search(ids.begin(), ids.end(), own->begin(), own->end());
  if (begin == ids.end()) return out;
  const auto first = out.begin() + (begin - ids.begin());
  std::fill(out.begin(), first, false);
  std::fill(first + int64_t(own->size()), out.end(), false);
  return out;
}

// Bytes of each id; none of those that the text does not show.
std::vector<std::string_view> bytes_of(const std::vector<int32_t>& ids,
                                       const std::vector<bool>& is_shown,
                                       const Tokenizer& tokenizer) {
  std::vector<std::string_view> out;
  for (size_t i = 0; i < ids.size(); ++i)
    out.push_back(is_shown[i] ? tokenizer.token_bytes(ids[i]) : std::string_view());
  return out;
}

// Of tokens that `text` was decoded of. Nothing where it is not their bytes, but for a space that
// decoding drops in front of a first word.
std::optional<std::vector<int32_t>> count_tokens(const std::string& text,
                                                 std::vector<std::string_view> tokens) {
  std::string bytes;
  for (const std::string_view token : tokens) bytes += token;
  if (sanitize_utf8(bytes) != text) {
    const auto first = std::find_if(tokens.begin(), tokens.end(),
                                    [](std::string_view token) { return !token.empty(); });
    if (!bytes.starts_with(' ') || sanitize_utf8(bytes.substr(1)) != text) return std::nullopt;
    first->remove_prefix(1);
  }
  std::vector<int32_t> offsets;
  TextOffsets chars;
  for (const std::string_view token : tokens) offsets.push_back(chars.next(token));
  return offsets;
}

}  // namespace

int32_t TextOffsets::next(std::string_view bytes) {
  const size_t num_old = pending_.size();
  pending_ += bytes;
  const bool is_broken = num_old > 0 && !bytes.empty() && first_char(pending_).size <= num_old;
  const int32_t offset = num_chars_ + is_broken;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Char c = first_char(rest);
    if (c.state == Utf8Char::State::kIncomplete) break;
    ++num_chars_;
    rest.remove_prefix(c.size);
  }
  pending_ = std::string(rest);
  return offset;
}

PromptText describe_prompt(const std::vector<int32_t>& ids, const std::string* sent_text,
                           const EncodeOptions& encode, bool skip_special_tokens,
                           const Tokenizer& tokenizer) {
  PromptText out;
  std::vector<bool> is_shown(ids.size(), true);
  if (sent_text) {
    out.text = *sent_text;
    is_shown = are_of_text(ids, out.text, encode, tokenizer);
    out.offsets =
        TokenFinder(see_text(out.text, &tokenizer), bytes_of(ids, is_shown, tokenizer)).run();
    return out;
  }
  out.text = tokenizer.decode(ids, skip_special_tokens);
  for (size_t i = 0; i < ids.size(); ++i)
    is_shown[i] = !skip_special_tokens || !tokenizer.is_special(ids[i]);
  const std::vector<std::string_view> tokens = bytes_of(ids, is_shown, tokenizer);
  if (auto offsets = count_tokens(out.text, tokens)) {
    out.offsets = *std::move(offsets);
    return out;
  }
  // Decoding has changed more: the text is as it is, and its tokens are found in it.
  out.offsets = TokenFinder(see_text(out.text, nullptr), tokens).run();
  return out;
}

}  // namespace tern::http
