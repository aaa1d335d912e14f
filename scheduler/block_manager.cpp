#include "scheduler/block_manager.h"

#include <numeric>

#include "base/check.h"

namespace tern {

BlockManager::BlockManager(int32_t num_blocks)
    : ref_counts_(num_blocks, 0), free_(num_blocks), cache_(num_blocks) {
  std::iota(free_.rbegin(), free_.rend(), 0);  // block 0 is handed out first
}

int32_t BlockManager::allocate() {
  int32_t block;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else {
    block = cache_.evict();
    ++num_evicted_;
  }
  ref_counts_[block] = 1;
  return block;
}

void BlockManager::share(int32_t block) {
  if (cache_.is_idle(block)) {
    cache_.reuse(block);
  } else {
    TERN_CHECK(ref_counts_[block] > 0, "a free block cannot be shared");
  }
  ++ref_counts_[block];
}

void BlockManager::free(int32_t block) {
  TERN_CHECK(ref_counts_[block] > 0, "block freed twice");
  if (--ref_counts_[block] > 0) return;
  if (cache_.is_published(block)) {
    cache_.make_idle(block);
  } else {
    free_.push_back(block);
  }
}

void BlockManager::publish(int32_t block, const Sha256& hash) {
  TERN_CHECK(ref_counts_[block] > 0, "only a block in use can be published");
  cache_.publish(block, hash);
}

int32_t BlockManager::drop_cached() {
  const int32_t num_dropped = cache_.num_idle();
  while (cache_.num_idle() > 0) free_.push_back(cache_.evict());
  return num_dropped;
}

void BlockManager::check_invariants(std::span<const int32_t> expected_refs) const {
  cache_.check_invariants();
  std::vector<uint8_t> is_free(ref_counts_.size(), false);
  for (const int32_t block : free_) {
    TERN_CHECK(!is_free[block], "a block is twice in the free list");
    is_free[block] = true;
  }
  for (int32_t block = 0; block < num_blocks(); ++block) {
    TERN_CHECK(ref_counts_[block] == expected_refs[block],
               "a reference count is not the number of block tables that hold the block");
    const int num_states = is_free[block] + cache_.is_idle(block) + (ref_counts_[block] > 0);
    TERN_CHECK(num_states == 1, "a block is not exactly one of free, used and cached");
    TERN_CHECK(!is_free[block] || !cache_.is_published(block), "a free block holds no prefix");
  }
}

}  // namespace tern
