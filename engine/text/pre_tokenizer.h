// Pre-tokenizers cut a text into the pieces that the model encodes one by one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/regex.h"

namespace tern {

/// A text cut into pieces, none of them empty.
struct Pieces {
  std::string text;
  std::vector<size_t> ends;  ///< piece i is the bytes [ends[i - 1], ends[i]) of `text`

  void add(std::string_view piece) {
    if (piece.empty()) return;
    text += piece;
    ends.push_back(text.size());
  }

  size_t size() const { return ends.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
};

/// Immutable; any thread.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  /// `pieces`, each cut and rewritten further. kInvalidArgument where a pattern exceeds its limits.
  virtual Result<Pieces> apply(Pieces pieces) const = 0;
};

/// What becomes of the matches of a Split.
enum class SplitBehavior {
  kRemoved,             ///< they vanish
  kIsolated,            ///< each is a piece
  kMergedWithPrevious,  ///< each ends a piece
  kMergedWithNext,      ///< each begins a piece
  kContiguous,          ///< neighbours form one piece
};

/// By its name in tokenizer.json: "Isolated".
std::optional<SplitBehavior> parse_split_behavior(std::string_view name);

/// Cuts at the matches of `regex`; `invert`: at what is between them.
std::unique_ptr<PreTokenizer> make_split(Regex regex, SplitBehavior behavior, bool invert);

/// Spells bytes as GPT-2's characters, after putting a space before pieces that have none
/// (`add_prefix_space`) and cutting by GPT-2's pattern (`use_regex`).
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex);

/// One after the other.
std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> parts);

}  // namespace tern
