// Normalizers rewrite a text before it is cut into pieces.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/charsmap.h"
#include "engine/text/parts/regex.h"
#include "engine/text/parts/unicode_form.h"

namespace tern {

/// Immutable; any thread.
class Normalizer {
 public:
  virtual ~Normalizer() = default;

  /// `text`, valid UTF-8, rewritten. `at_start`: the whole text begins with it, no token stands
  /// before it. kInvalidArgument where a pattern exceeds its limits.
  virtual Result<std::string> apply(std::string text, bool at_start) const = 0;
};

using NormalizerPtr = std::unique_ptr<Normalizer>;

NormalizerPtr make_unicode_form(UnicodeForm form);
NormalizerPtr make_lowercase();
NormalizerPtr make_strip_accents();                 ///< removes marks (category M)
NormalizerPtr make_strip(bool left, bool right);    ///< removes white space at the ends
NormalizerPtr make_prepend(std::string prefix);     ///< to texts that are not empty
NormalizerPtr make_byte_level_normalizer();         ///< spells bytes as GPT-2's characters
NormalizerPtr make_nmt();                           ///< drops controls, makes odd spaces spaces
NormalizerPtr make_precompiled(Charsmap charsmap);  ///< as Hugging Face applies a charsmap
NormalizerPtr make_replace(Regex regex, std::string content);
NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> parts);

/// BERT's: controls away, one kind of space, Chinese characters apart, accents away, lower case.
struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};
NormalizerPtr make_bert_normalizer(const BertNormalizerOptions& options);

/// When SentencePiece's dummy prefix is put before a text that follows a special token.
enum class PrefixAfterToken {
  kAlways,
  kUnlessSpace,  ///< not where the text brings its own space
  kNever,
};

/// SentencePiece's own normalizer.
struct SentencePieceNormalizerOptions {
  Charsmap charsmap;
  std::vector<std::string> user_defined;  ///< texts that stay as they are
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;           ///< a space becomes U+2581
  bool treat_whitespace_as_suffix = false;  ///< the dummy comes last
  PrefixAfterToken prefix_after_token = PrefixAfterToken::kAlways;
};
NormalizerPtr make_sentencepiece_normalizer(SentencePieceNormalizerOptions options);

}  // namespace tern
