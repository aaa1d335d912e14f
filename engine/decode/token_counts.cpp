#include "engine/decode/token_counts.h"

#include <bit>

#include "base/check.h"

namespace tern {

TokenCounts::TokenCounts(size_t max_distinct) : table_(std::bit_ceil(2 * max_distinct + 2)) {
  entries_.reserve(max_distinct);
}

void TokenCounts::add_prompt(std::span<const int32_t> token_ids) {
  for (const int32_t id : token_ids) (void)find_or_add(id);
}

void TokenCounts::add_output(int32_t token_id) {
  if (!table_.empty()) ++find_or_add(token_id).num_outputs;
}

TokenCounts::Entry& TokenCounts::find_or_add(int32_t token_id) {
  const size_t mask = table_.size() - 1;
  size_t slot = uint32_t(token_id) * 0x9E3779B1u & mask;
  for (; table_[slot] != 0; slot = (slot + 1) & mask)
    if (Entry& entry = entries_[table_[slot] - 1]; entry.token_id == token_id) return entry;
  TERN_CHECK(entries_.size() < entries_.capacity(), "more different tokens than announced");
  table_[slot] = static_cast<int32_t>(entries_.size()) + 1;
  return entries_.emplace_back(Entry{.token_id = token_id});
}

}  // namespace tern
