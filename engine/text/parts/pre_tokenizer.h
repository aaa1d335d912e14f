// Pre-tokenizers cut a text into the pieces that the model encodes one by one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/text/parts/regex.h"

namespace tern {

/// A text cut into pieces, none of them empty.
struct Pieces {
  std::string text;
  std::vector<size_t> ends;  ///< piece i is the bytes [ends[i - 1], ends[i]) of `text`
  bool at_start = false;     ///< piece 0 is where the user's whole text begins

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

/// Finds a behaviour by its name in tokenizer.json: "Isolated".
std::optional<SplitBehavior> parse_split_behavior(std::string_view name);

/// Cuts at the matches of `regex`; `invert`: at what is between them.
std::unique_ptr<PreTokenizer> make_split(Regex regex, SplitBehavior behavior, bool invert);

/// Spells bytes as GPT-2's characters, after putting a space before pieces that have none
/// (`add_prefix_space`) and cutting by GPT-2's pattern (`use_regex`).
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex);

/// When Metaspace puts its replacement before a piece that has none there.
enum class PrependScheme { kAlways, kFirst, kNever };

/// Puts `replacement` in place of spaces and, by `scheme`, before pieces; `split`: cuts before
/// each.
std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, PrependScheme scheme,
                                             bool split);

/// Cuts runs of digits (category N) into groups of three from the right: 12 345 678.
std::unique_ptr<PreTokenizer> make_digit_groups();

/// BERT's: cuts at white space, which vanishes, and around punctuation.
std::unique_ptr<PreTokenizer> make_bert_pre_tokenizer();

/// Cuts at runs of word characters and of other characters; white space vanishes.
std::unique_ptr<PreTokenizer> make_whitespace();

/// Punctuation: the category P and what ASCII counts as such.
Regex punctuation_regex();

/// One after the other.
std::unique_ptr<PreTokenizer> make_sequence(std::vector<std::unique_ptr<PreTokenizer>> parts);

}  // namespace tern
