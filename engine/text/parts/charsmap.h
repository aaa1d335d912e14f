// SentencePiece's precompiled character map: replacements of byte sequences, in a double array.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tern {

/// Immutable; any thread.
class Charsmap {
 public:
  Charsmap() = default;  ///< replaces nothing

  /// Reads `precompiled_charsmap`: 4 bytes size, the double array, the replacements with a zero
  /// behind each. kInvalidArgument where that is broken; empty bytes replace nothing.
  static Result<Charsmap> parse(std::string_view bytes);

  struct Match {
    size_t size = 0;  ///< bytes of the text; 0: nothing matches
    std::string_view replacement;
  };
  /// The longest, and the shortest, key that `text` starts with.
  Match longest_prefix(std::string_view text) const { return find(text, true); }
  Match shortest_prefix(std::string_view text) const { return find(text, false); }

 private:
  Match find(std::string_view text, bool longest) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace tern
