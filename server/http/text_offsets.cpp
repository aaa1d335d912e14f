#include "server/http/text_offsets.h"

#include <algorithm>
#include <utility>

#include "base/utf8_char.h"

namespace tern::http {
namespace {

bool continues_char(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// What a token takes of the text in front of it.
struct Match {
  size_t skipped = 0;  // bytes that no token stands for
  size_t size = 0;     // bytes
};

// Finds the token that stands for `bytes` at the beginning of `text`.
Match match_token(std::string_view text, std::string_view bytes) {
  constexpr size_t kMostSkipped = 8;  // white space that a special token swallowed, an accent
  if (text.starts_with(bytes)) return {0, bytes.size()};
  // Some tokenizers put a space in front of a first word.
  if (bytes.starts_with(' ') && text.starts_with(bytes.substr(1))) return {0, bytes.size() - 1};
  const size_t at = text.substr(0, kMostSkipped + bytes.size()).find(bytes);
  if (at != std::string_view::npos) return {at, bytes.size()};
  // Other characters than the text's, which was normalized: as many.
  Match match;
  for (const char byte : bytes) {
    if (continues_char(byte) || match.size == text.size()) continue;
    match.size += first_char(text.substr(match.size)).size;
  }
  return match;
}

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

// Finds where the tokens of a text begin that was sent as text.
std::vector<int32_t> find_tokens(std::string_view text, const std::vector<int32_t>& ids,
                                 const std::vector<bool>& is_shown, const Tokenizer& tokenizer) {
  std::vector<int32_t> offsets;
  TextOffsets chars;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Match match = is_shown[i] ? match_token(text, tokenizer.token_bytes(ids[i])) : Match();
    if (match.skipped > 0) chars.next(text.substr(0, match.skipped));
    offsets.push_back(chars.next(text.substr(match.skipped, match.size)));
    text.remove_prefix(match.skipped + match.size);
  }
  return offsets;
}

// Counts where the tokens begin that `text` was decoded of.
std::vector<int32_t> count_tokens(std::string_view text, const std::vector<int32_t>& ids,
                                  bool skip_special_tokens, const Tokenizer& tokenizer) {
  std::vector<int32_t> offsets;
  TextOffsets chars;
  bool drops_space = !text.starts_with(' ');  // decoding does, in front of a first word
  for (const int32_t id : ids) {
    std::string_view bytes = tokenizer.token_bytes(id);
    if (skip_special_tokens && tokenizer.is_special(id)) bytes = {};
    if (drops_space && bytes.starts_with(' ')) bytes.remove_prefix(1);
    drops_space &= bytes.empty();
    offsets.push_back(chars.next(bytes));
  }
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
  if (sent_text) {
    out.text = *sent_text;
    out.offsets =
        find_tokens(out.text, ids, are_of_text(ids, out.text, encode, tokenizer), tokenizer);
  } else {
    out.text = tokenizer.decode(ids, skip_special_tokens);
    out.offsets = count_tokens(out.text, ids, skip_special_tokens, tokenizer);
  }
  return out;
}

}  // namespace tern::http
