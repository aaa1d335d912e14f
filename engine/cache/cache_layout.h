// What the layers of a model keep of a sequence between two steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern {

/// Declared by the layers, in their order; an entry's index is its id. Paged memory lies in KV
/// blocks and belongs to positions; a slot belongs to a sequence as a whole (a convolution's last
/// inputs, a recurrent state) and holds what its tokens up to the last computed one made of it. The
/// scheduler hands out slots and says which to copy; only the layers know what they mean.
struct CacheLayout {
  struct Paged {
    size_t bytes_per_token = 0;  ///< of one layer, keys and values
    int32_t window = 0;          ///< a row sees no more positions than these; 0: all
  };
  struct Slot {
    size_t bytes_per_seq = 0;
  };

  std::vector<Paged> paged;
  std::vector<Slot> slots;

  /// How many slots the scheduler gets (SchedulerConfig::num_state_slots): none where no layer has
  /// one, else one for each running sequence, and as many for checkpoints and the states before
  /// drafts.
  int32_t num_state_slots(int32_t max_num_seqs) const {
    return slots.empty() ? 0 : 2 * max_num_seqs;
  }

  /// Of one slot id, all layers together.
  size_t bytes_per_slot() const {
    size_t sum = 0;
    for (const Slot& slot : slots) sum += slot.bytes_per_seq;
    return sum;
  }
};

}  // namespace tern
