// Decoders turn the spellings of tokens back into text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/pre_tokenizer.h"
#include "engine/text/parts/regex.h"

namespace tern {

/// Immutable; any thread.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Rewrites the tokens of a whole text; put together they are the text.
  virtual void apply(std::vector<std::string>& tokens) const = 0;

  /// Rewrites one token as it is between two others: into bytes, possibly parts of a character.
  virtual void apply_between(std::string& token) const = 0;

  /// Whether apply() makes one token of all: what follows it sees the whole text.
  virtual bool fuses() const { return false; }

  /// Whether it does nothing but cut the ends of its tokens.
  virtual bool trims_ends() const { return false; }
};

using DecoderPtr = std::unique_ptr<Decoder>;

DecoderPtr make_byte_level_decoder();     ///< reads GPT-2's spelling
DecoderPtr make_byte_fallback_decoder();  ///< <0x00> to <0xFF> are bytes
DecoderPtr make_fuse_decoder();           ///< makes one token of all
DecoderPtr make_replace_decoder(Regex regex, std::string content);

/// `replacement` becomes a space; in the first token, unless the scheme is kNever, nothing.
DecoderPtr make_metaspace_decoder(std::string replacement, PrependScheme scheme);

/// A space before every token but the first, unless it begins with `prefix`, which vanishes.
/// `cleanup`: no spaces before English punctuation and contractions.
DecoderPtr make_wordpiece_decoder(std::string prefix, bool cleanup);

/// Removes up to `left` of `content`, a character, from the start of every token, and up to `right`
/// from its end.
DecoderPtr make_strip_decoder(std::string content, int64_t left, int64_t right);

/// `suffix` becomes a space; in the last token, nothing.
DecoderPtr make_bpe_decoder(std::string suffix);

/// SentencePiece's: U+2581 is a space, bytes that form no character are U+FFFD each. At the start
/// of the text the dummy prefix is dropped (`add_dummy_prefix`), or all spaces
/// (`remove_extra_whitespaces`).
DecoderPtr make_sentencepiece_decoder(bool add_dummy_prefix, bool remove_extra_whitespaces);

/// One after the other.
DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> parts);

}  // namespace tern
