#include "base/closest_word.h"

#include <algorithm>
#include <vector>

namespace tern {
namespace {

// Letters to insert, delete, replace or exchange with their neighbour (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongestWord = 200;  // the work grows with the square
  if (word.size() > kLongestWord) return "";
  std::string_view nearest;
  constexpr size_t kFewestLetters = 3;
  const size_t dashes = std::min(word.find_first_not_of('-'), word.size());
  if (word.size() - dashes >= kFewestLetters)
    for (const std::string& candidate : candidates)
      if (candidate.starts_with(word) && (nearest.empty() || candidate.size() < nearest.size()))
        nearest = candidate;
  if (!nearest.empty()) return "; did you mean " + std::string(nearest) + "?";
  size_t least = word.size() / 3 + 1;
  for (const std::string& candidate : candidates)
    if (const size_t distance = edit_distance(candidate, word); distance < least) {
      least = distance;
      nearest = candidate;
    }
  return nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?";
}

}  // namespace tern
