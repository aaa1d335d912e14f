#include "scheduler/state_slots.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace tern {

StateSlots::StateSlots(int32_t num_slots, int32_t num_blocks)
    : free_(num_slots),
      blocks_(num_slots, kNoBlock),
      slots_(num_slots > 0 ? num_blocks : 0, kNoSlot),
      last_use_(num_slots, 0) {
  std::iota(free_.rbegin(), free_.rend(), 0);  // slot 0 is handed out first
}

int32_t StateSlots::allocate() {
  if (free_.empty()) {
    int32_t oldest = kNoSlot;
    for (int32_t slot = 0; slot < static_cast<int32_t>(blocks_.size()); ++slot) {
      if (blocks_[slot] == kNoBlock) continue;
      if (oldest == kNoSlot || last_use_[slot] < last_use_[oldest]) oldest = slot;
    }
    if (oldest == kNoSlot) return kNoSlot;
    drop_checkpoint(blocks_[oldest]);
  }
  const int32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void StateSlots::free(int32_t slot) {
  TERN_CHECK(blocks_[slot] == kNoBlock, "a checkpoint's slot is nobody's to free");
  free_.push_back(slot);
}

void StateSlots::make_checkpoint(int32_t slot, int32_t block) {
  TERN_CHECK(slots_[block] == kNoSlot && blocks_[slot] == kNoBlock, "one checkpoint a block");
  blocks_[slot] = block;
  slots_[block] = slot;
  ++num_checkpoints_;
  touch(block);
}

void StateSlots::touch(int32_t block) {
  last_use_[slots_[block]] = ++num_uses_;
}

void StateSlots::drop_checkpoint(int32_t block) {
  const int32_t slot = checkpoint_of(block);
  if (slot == kNoSlot) return;
  slots_[block] = kNoSlot;
  blocks_[slot] = kNoBlock;
  --num_checkpoints_;
  free_.push_back(slot);
}

void StateSlots::check_invariants(const std::vector<int32_t>& used) const {
  std::vector<int32_t> num_states(blocks_.size(), 0);
  for (const int32_t slot : free_) ++num_states[slot];
  for (const int32_t slot : used) ++num_states[slot];
  int32_t num_checkpoints = 0;
  for (int32_t slot = 0; slot < static_cast<int32_t>(blocks_.size()); ++slot) {
    if (blocks_[slot] == kNoBlock) continue;
    ++num_checkpoints;
    ++num_states[slot];
    TERN_CHECK(slots_[blocks_[slot]] == slot, "a checkpoint is found by its block");
  }
  TERN_CHECK(std::count(num_states.begin(), num_states.end(), 1) ==
                 static_cast<int64_t>(num_states.size()),
             "a slot is not exactly one of free, used and checkpoint");
  TERN_CHECK(num_checkpoints == num_checkpoints_, "checkpoints are counted");
  TERN_CHECK(std::count(slots_.begin(), slots_.end(), kNoSlot) + num_checkpoints ==
                 static_cast<int64_t>(slots_.size()),
             "no block names a slot that is not its own");
}

}  // namespace tern
