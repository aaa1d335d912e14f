#include "engine/text/parts/normalizer.h"

#include "base/unicode.h"
#include "base/utf8_char.h"
#include "engine/text/parts/byte_level.h"

namespace tern {
namespace {

/// A normalizer that needs nothing but a function from text to text.
template <class Rewrite>
class Rewriter final : public Normalizer {
 public:
  explicit Rewriter(Rewrite rewrite) : rewrite_(std::move(rewrite)) {}
  Result<std::string> apply(std::string text, bool) const override {
    return rewrite_(std::move(text));
  }

 private:
  Rewrite rewrite_;
};

template <class Rewrite>
NormalizerPtr make_rewriter(Rewrite rewrite) {
  return std::make_unique<Rewriter<Rewrite>>(std::move(rewrite));
}

/// `text`, with `rewrite(out, character)` called for each character.
template <class Rewrite>
std::string map_characters(std::string_view text, const Rewrite& rewrite) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = first_char(text);
    rewrite(out, c.code_point);
    text.remove_prefix(c.size);
  }
  return out;
}

std::string lower_case(std::string_view text) {
  return map_characters(text, append_lower_case);
}

std::string strip(std::string_view text, bool left, bool right) {
  if (left) text.remove_prefix(leading_white_space(text));
  if (right) text.remove_suffix(trailing_white_space(text));
  return std::string(text);
}

// Control characters that SentencePiece's nmt rules drop.
bool is_nmt_control(char32_t c) {
  return (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
         c == 0x8f || c == 0x9f;
}

bool is_nmt_space(char32_t c) {
  return c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
         (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff ||
         c == 0xfffd;
}

void append_nmt(std::string& out, char32_t c) {
  if (!is_nmt_control(c)) append_utf8(out, is_nmt_space(c) ? U' ' : c);
}

/// Where a grapheme is short, its shortest prefix that the map knows stands for all of it; else
/// each character is looked up alone. So the reference does it, and models were trained with that.
std::string apply_charsmap(const Charsmap& charsmap, std::string_view text) {
  constexpr size_t kMaxGraphemeBytes = 5;
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::string_view grapheme = text.substr(0, first_grapheme_size(text));
    text.remove_prefix(grapheme.size());
    if (grapheme.size() <= kMaxGraphemeBytes) {
      if (const auto match = charsmap.shortest_prefix(grapheme); match.size > 0) {
        out += match.replacement;
        continue;
      }
    }
    while (!grapheme.empty()) {
      const std::string_view c = grapheme.substr(0, first_char(grapheme).size);
      const auto match = charsmap.shortest_prefix(c);
      out += match.size > 0 ? match.replacement : c;
      grapheme.remove_prefix(c.size());
    }
  }
  return out;
}

bool is_chinese(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) ||
         (c >= 0x2b920 && c <= 0x2ceaf) ||  // U+2B820 to U+2B91F are missing in the reference too
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

void append_clean(std::string& out, char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r')
    out += ' ';
  else if (c != 0 && c != 0xfffd && !is_other(c))
    append_utf8(out, is_white_space(c) ? U' ' : c);
}

std::string normalize_bert(const BertNormalizerOptions& options, std::string text) {
  if (options.clean_text) text = map_characters(text, append_clean);
  if (options.handle_chinese_chars)
    text = map_characters(text, [](std::string& out, char32_t c) {
      if (is_chinese(c)) out += ' ';
      append_utf8(out, c);
      if (is_chinese(c)) out += ' ';
    });
  if (options.strip_accents)
    text =
        map_characters(to_unicode_form(text, UnicodeForm::kNfd), [](std::string& out, char32_t c) {
          if (!is_nonspacing_mark(c)) append_utf8(out, c);
        });
  return options.lowercase ? lower_case(text) : text;
}

class Replace final : public Normalizer {
 public:
  Replace(Regex regex, std::string content)
      : regex_(std::move(regex)), content_(std::move(content)) {}
  Result<std::string> apply(std::string text, bool) const override {
    return regex_.replace_all(text, content_);
  }

 private:
  Regex regex_;
  std::string content_;
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPtr> parts) : parts_(std::move(parts)) {}
  Result<std::string> apply(std::string text, bool at_start) const override {
    for (const NormalizerPtr& part : parts_) {
      TERN_ASSIGN(text, part->apply(std::move(text), at_start));
    }
    return text;
  }

 private:
  std::vector<NormalizerPtr> parts_;
};

}  // namespace

NormalizerPtr make_unicode_form(UnicodeForm form) {
  return make_rewriter([form](const std::string& text) { return to_unicode_form(text, form); });
}

NormalizerPtr make_lowercase() {
  return make_rewriter([](const std::string& text) { return lower_case(text); });
}

NormalizerPtr make_strip_accents() {
  return make_rewriter([](const std::string& text) {
    return map_characters(text, [](std::string& out, char32_t c) {
      if (!is_mark(c)) append_utf8(out, c);
    });
  });
}

NormalizerPtr make_strip(bool left, bool right) {
  return make_rewriter([=](const std::string& text) { return strip(text, left, right); });
}

NormalizerPtr make_prepend(std::string prefix) {
  return make_rewriter([prefix = std::move(prefix)](std::string text) {
    return text.empty() ? text : prefix + text;
  });
}

NormalizerPtr make_byte_level_normalizer() {
  return make_rewriter([](const std::string& text) {
    std::string out;
    append_byte_level(out, text);
    return out;
  });
}

NormalizerPtr make_nmt() {
  return make_rewriter([](const std::string& text) { return map_characters(text, append_nmt); });
}

NormalizerPtr make_precompiled(Charsmap charsmap) {
  return make_rewriter([charsmap = std::move(charsmap)](const std::string& text) {
    return apply_charsmap(charsmap, text);
  });
}

NormalizerPtr make_replace(Regex regex, std::string content) {
  return std::make_unique<Replace>(std::move(regex), std::move(content));
}

NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> parts) {
  return std::make_unique<NormalizerSequence>(std::move(parts));
}

NormalizerPtr make_bert_normalizer(const BertNormalizerOptions& options) {
  return make_rewriter(
      [options](std::string text) { return normalize_bert(options, std::move(text)); });
}

}  // namespace tern
