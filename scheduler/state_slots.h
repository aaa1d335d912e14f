// Hands out slots of per-sequence state by id: to running sequences, and to checkpoints of cached
// prefixes. It knows no memory and not what a slot holds.
#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/prefix_cache.h"
#include "scheduler/sequence.h"

namespace tern {

/// Every slot is exactly one of: free, used (by a sequence), checkpoint (of the prefix that ends
/// with a published block; given up when a slot is needed and none is free, the least recently used
/// first). No operation allocates. With zero slots nothing but is_enabled(), checkpoint_of() and
/// drop_checkpoint() may be called, and these say that there is nothing.
class StateSlots {
 public:
  /// Ids are [0, num_slots).
  StateSlots(int32_t num_slots, int32_t num_blocks);

  bool is_enabled() const { return !blocks_.empty(); }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t num_checkpoints() const { return num_checkpoints_; }

  /// A slot to use, of unknown content: a free one, else a checkpoint's. kNoSlot where all are
  /// used. O(slots) where a checkpoint is given up, else O(1).
  int32_t allocate();

  /// A used slot is free again.
  void free(int32_t slot);

  /// The checkpoint of the prefix that ends with `block`, or kNoSlot.
  int32_t checkpoint_of(int32_t block) const { return is_enabled() ? slots_[block] : kNoSlot; }

  /// A used slot holds the state behind the prefix that ends with `block`, which has no checkpoint
  /// yet.
  void make_checkpoint(int32_t slot, int32_t block);

  /// The checkpoint of `block` becomes the last to be given up.
  void touch(int32_t block);

  /// `block` holds another prefix from now on, or none.
  void drop_checkpoint(int32_t block);

  /// Aborts where a slot is not in exactly one state, or used ones are not `used`. O(slots +
  /// blocks).
  void check_invariants(const std::vector<int32_t>& used) const;

 private:
  std::vector<int32_t> free_;       // a stack
  std::vector<int32_t> blocks_;     // [num_slots]: of which block it is the checkpoint, or kNoBlock
  std::vector<int32_t> slots_;      // [num_blocks]: the block's checkpoint, or kNoSlot
  std::vector<uint64_t> last_use_;  // [num_slots], meaningful for checkpoints
  uint64_t num_uses_ = 0;
  int32_t num_checkpoints_ = 0;
};

}  // namespace tern
