// What SentencePiece does with a text before its model sees it.
#include "base/utf8_char.h"
#include "engine/text/parts/normalizer.h"
#include "engine/text/parts/trie.h"

namespace tern {
namespace {

constexpr std::string_view kSpaceSymbol = "\u2581";

class SentencePieceNormalizer final : public Normalizer {
 public:
  explicit SentencePieceNormalizer(SentencePieceNormalizerOptions options)
      : options_(std::move(options)) {
    std::vector<Trie::Entry> entries;
    for (const std::string& text : options_.user_defined) entries.emplace_back(text, 0);
    user_defined_ = Trie(std::move(entries));
  }

  Result<std::string> apply(std::string text, bool at_start) const override {
    std::string_view rest = text;
    if (options_.remove_extra_whitespaces) skip_spaces(rest);
    std::string out;
    if (rest.empty()) return out;
    const bool has_dummy = at_start ? options_.add_dummy_prefix : prefix_after_token(rest);
    if (has_dummy && !options_.treat_whitespace_as_suffix) append_space(out);
    append_rest(rest, out);
    if (options_.remove_extra_whitespaces) remove_last_spaces(out);
    if (has_dummy && options_.treat_whitespace_as_suffix) append_space(out);
    return out;
  }

 private:
  struct Prefix {
    std::string_view normalized;
    size_t consumed = 0;
  };

  /// What the start of `text` becomes.
  Prefix first(std::string_view text) const {
    if (const size_t size = user_defined_.longest_prefix(text).size)
      return {text.substr(0, size), size};
    if (const auto match = options_.charsmap.longest_prefix(text); match.size > 0)
      return {match.replacement, match.size};
    const size_t size = first_char(text).size;
    return {text.substr(0, size), size};
  }

  void skip_spaces(std::string_view& text) const {
    while (!text.empty()) {
      const Prefix prefix = first(text);
      if (prefix.normalized != " ") return;
      text.remove_prefix(prefix.consumed);
    }
  }

  bool prefix_after_token(std::string_view text) const {
    if (options_.prefix_after_token == PrefixAfterToken::kNever) return false;
    const bool own_space = text.front() == ' ' || text.starts_with(kSpaceSymbol);
    const bool wanted = options_.prefix_after_token == PrefixAfterToken::kAlways || !own_space;
    return wanted && options_.add_dummy_prefix;
  }

  void append_rest(std::string_view text, std::string& out) const {
    bool after_space = options_.remove_extra_whitespaces;
    while (!text.empty()) {
      const Prefix prefix = first(text);
      std::string_view normalized = prefix.normalized;
      while (after_space && normalized.starts_with(' ')) normalized.remove_prefix(1);
      for (const char c : normalized) {
        if (c == ' ')
          append_space(out);
        else
          out += c;
      }
      if (!normalized.empty())
        after_space = options_.remove_extra_whitespaces && normalized.ends_with(' ');
      text.remove_prefix(prefix.consumed);
    }
  }

  void append_space(std::string& out) const { out += space(); }

  void remove_last_spaces(std::string& out) const {
    while (out.ends_with(space())) out.resize(out.size() - space().size());
  }

  std::string_view space() const { return options_.escape_whitespaces ? kSpaceSymbol : " "; }

  SentencePieceNormalizerOptions options_;
  Trie user_defined_;
};

}  // namespace

NormalizerPtr make_sentencepiece_normalizer(SentencePieceNormalizerOptions options) {
  return std::make_unique<SentencePieceNormalizer>(std::move(options));
}

}  // namespace tern
