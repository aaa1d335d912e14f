// How often tokens have occurred in one request, for the penalties.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

/// A hash table whose memory is taken at once, so that counting allocates nothing. One thread.
class TokenCounts {
 public:
  struct Entry {
    int32_t token_id = 0;
    int32_t num_outputs = 0;  ///< occurrences in the answer; 0 = in the prompt alone
  };

  /// Counts nothing: for requests without penalties.
  TokenCounts() = default;

  /// For at most `max_distinct` different tokens.
  explicit TokenCounts(size_t max_distinct);

  void add_prompt(std::span<const int32_t> token_ids);
  void add_output(int32_t token_id);

  /// Each token once, in the order of its first occurrence.
  std::span<const Entry> entries() const { return entries_; }

 private:
  Entry& find_or_add(int32_t token_id);

  std::vector<Entry> entries_;
  std::vector<int32_t> table_;  // open addressing: index into entries_ + 1, or 0
};

}  // namespace tern
