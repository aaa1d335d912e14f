// Tokens that stand in the text as they are, and are found before anything else looks at it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "engine/text/regex.h"

namespace tern {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      ///< not part of what a user says: skipped when decoding
  bool single_word = false;  ///< only where no word character stands next to it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
};

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
  /// longest token wins. `parse_special` false: special tokens are plain text. Time: linear in the
  /// text, times the longest token at worst.
  Status split(std::string_view text, bool parse_special, std::vector<Segment>& segments) const;

 private:
  static constexpr uint32_t kNone = 0;  // the root is nobody's child

  uint32_t child(uint32_t node, char byte) const;
  const AddedToken* longest_match(std::string_view text) const;
  Result<bool> may_stand(const AddedToken& token, std::string_view before,
                         std::string_view behind) const;

  std::vector<AddedToken> tokens_;
  // A trie of bytes: root_ for the first, then by (node, byte). Node n > 0 ends the token ends_[n],
  // or -1.
  std::array<uint32_t, 256> root_{};
  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<int32_t> ends_{-1};
  std::optional<Regex> word_;  // a word character; only where a token is single_word
};

}  // namespace tern
