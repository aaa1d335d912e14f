// Tokens that stand in the text as they are, and are found before anything else looks at it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/regex.h"
#include "engine/text/parts/trie.h"
#include "engine/text/parts/vocabulary.h"

namespace tern {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      ///< not part of what a user says: skipped when decoding
  bool single_word = false;  ///< only where no word character stands next to it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = false;   ///< found in the text as the normalizer leaves it
  bool normal_text = false;  ///< decoded as the normalizer leaves it, as all that are `normalized`

  bool operator==(const AddedToken&) const = default;
};

/// The ids that Hugging Face's tokenizers gives `tokens`, in the order in which a file lists them,
/// whatever ids they have there: those of the vocabulary, and what comes behind it for new ones.
/// Sorts the tokens by id. Where several have one id the last counts, and a text is special that
/// was so once.
std::vector<AddedToken> number_added_tokens(std::span<const AddedToken> tokens,
                                            const Vocabulary& vocabulary);

/// Tokens that a model's configuration adds to those of the tokenizer's own file.
struct ConfiguredTokens {
  std::vector<AddedToken> listed;  ///< by id, with flags of their own
  bool are_all = false;            ///< `listed` is the configuration's own list, not an older file
  std::vector<AddedToken> named;   ///< bos_token, …, in the order in which they are added
  std::vector<AddedToken> further;
  bool further_are_older = false;  ///< those of special_tokens_map.json
};

/// The tokens of a file and those of the configuration in the order in which transformers adds
/// them: for number_added_tokens().
std::vector<AddedToken> in_adding_order(std::vector<AddedToken> of_file,
                                        const ConfiguredTokens& configured);

/// `tokens` with the ids that they have where these agree with the vocabulary and with each other;
/// else as number_added_tokens() has them.
std::vector<AddedToken> keep_or_number(std::vector<AddedToken> tokens,
                                       const Vocabulary& vocabulary);

/// A part of a text: a token, or text without tokens.
struct Segment {
  std::string_view text;
  std::optional<int32_t> id;
};

/// Finds a set of added tokens. Immutable; any thread.
class AddedTokenFinder {
 public:
  /// kInvalidArgument where a content is empty or too long.
  static Result<AddedTokenFinder> create(std::vector<AddedToken> tokens);

  /// Appends the segments of `text`, none of them empty, to `segments`. From left to right, the
  /// longest token wins; the white space that one takes may hold the next. `parse_special` false:
  /// special tokens are plain text. Time: linear in the text, times the longest token at worst.
  Status split(std::string_view text, bool parse_special, std::vector<Segment>& segments) const;

 private:
  const AddedToken* longest_match(std::string_view text) const;
  Result<bool> may_stand(const AddedToken& token, std::string_view before,
                         std::string_view behind) const;

  std::vector<AddedToken> tokens_;
  Trie trie_;                  // of indices into tokens_, by content
  std::optional<Regex> word_;  // a word character; only where a token is single_word
};

}  // namespace tern
