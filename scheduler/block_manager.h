// Hands out KV blocks by id: allocate, share, free. It knows no memory and no tensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/prefix_cache.h"

namespace tern {

/// Every block is exactly one of: free (holds nothing), used (reference count >= 1), cached (holds
/// a prefix, reference count 0, evicted when no block is free). All operations are O(1), none
/// allocates.
class BlockManager {
 public:
  /// num_blocks >= 1; ids are [0, num_blocks).
  explicit BlockManager(int32_t num_blocks);

  int32_t num_blocks() const { return static_cast<int32_t>(ref_counts_.size()); }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t num_cached() const { return cache_.num_idle(); }
  int32_t num_used() const { return num_blocks() - num_free() - num_cached(); }
  /// How many allocate() calls would succeed.
  int32_t num_available() const { return num_free() + num_cached(); }
  uint64_t num_evicted() const { return num_evicted_; }

  /// A block with one reference and unknown content: a free one, else the least recently used
  /// cached one. There must be one available.
  int32_t allocate();

  /// One more reference to a used or cached block.
  void share(int32_t block);

  /// One reference less. With the last one a published block becomes cached, any other free. The
  /// last one freed is the last one evicted: free a sequence's blocks from its tail.
  void free(int32_t block);

  /// The block that holds the prefix, or kNoBlock. Still to be shared.
  int32_t find(const Sha256& hash) const { return cache_.find(hash); }
  bool is_cached(int32_t block) const { return cache_.is_idle(block); }
  bool is_published(int32_t block) const { return cache_.is_published(block); }

  /// The content of a used block is computed and has this hash. Where another block has the same
  /// content already, this one stays private.
  void publish(int32_t block, const Sha256& hash);

  /// Cached blocks become free; returns how many.
  int32_t drop_cached();

  /// Aborts where a block is not in exactly one state, is twice in a list, or its reference count
  /// is not `expected_refs[block]`. O(blocks).
  void check_invariants(std::span<const int32_t> expected_refs) const;

 private:
  std::vector<int32_t> ref_counts_;  // [num_blocks]
  std::vector<int32_t> free_;        // a stack
  PrefixCache cache_;
  uint64_t num_evicted_ = 0;
};

}  // namespace tern
