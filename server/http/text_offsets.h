// Where tokens begin in a text, counted in characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace tern::http {

/// Tells where the tokens of an answer begin in its text, as they come. One thread.
class TextOffsets {
 public:
  /// `start`: characters in front of the answer.
  explicit TextOffsets(int32_t start = 0) : num_chars_(start) {}

  /// Where the next token begins, which adds `bytes` to the text: none where it is not shown. One
  /// that goes on with a character begins where the character does.
  int32_t next(std::string_view bytes);

 private:
  std::string pending_;  // the beginning of a character
  int32_t num_chars_;    // in front of it
};

/// A prompt as its tokens and as the text that its client knows.
struct PromptText {
  std::string text;              ///< what the client sent, else what its ids are decoded to
  std::vector<int32_t> offsets;  ///< of each token
};

/// Special tokens that the text does not show have no width: those that the tokenizer has put
/// around a text, and of ids all where `skip_special_tokens`. Where a tokenizer changes the text,
/// its tokens begin where the characters do that they were made of; a token that is spelled
/// otherwise, as an unknown one is, takes what stands between its neighbours. `sent_text`: null
/// where ids were sent, or text was truncated.
PromptText describe_prompt(const std::vector<int32_t>& ids, const std::string* sent_text,
                           const EncodeOptions& encode, bool skip_special_tokens,
                           const Tokenizer& tokenizer);

}  // namespace tern::http
