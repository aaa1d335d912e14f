// What the layers of a model keep of a sequence between two steps: declared by their blocks, used
// for sizing the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern {

/// Filled once, at loading, by Block::declare in the order of the layers; an entry's index is its
/// id. The scheduler hands out KV blocks and slots, and only the blocks know what they mean.
struct CacheLayout {
  /// Keys and values of one layer: they belong to positions, and lie in KV blocks.
  struct Paged {
    int32_t num_kv_heads = 0;
    int32_t head_dim = 0;
    int64_t window = 0;  ///< positions that a row sees, its own included; 0 = all

    /// Keys and values, f32.
    size_t bytes_per_token() const {
      return size_t(2) * sizeof(float) * size_t(num_kv_heads) * size_t(head_dim);
    }
  };

  /// What one layer keeps of a sequence as a whole (a convolution's last inputs, a recurrent
  /// state): what the tokens up to the last computed one have made of it.
  struct Slot {
    size_t bytes_per_seq = 0;
  };

  std::vector<Paged> paged;
  std::vector<Slot> slots;

  /// Adds an entry and returns its id.
  int32_t add(const Paged& entry) { return append(paged, entry); }
  int32_t add(const Slot& entry) { return append(slots, entry); }

  /// How many slots the scheduler gets (SchedulerConfig::num_state_slots) where `max_num_seqs`
  /// sequences may run: none where no layer keeps such a state; else one for each, and one more for
  /// each, as a step in which all have drafts keeps the state before it of all. Those that are not
  /// needed for that hold checkpoints.
  int32_t num_state_slots(int32_t max_num_seqs) const {
    return slots.empty() ? 0 : 2 * max_num_seqs;
  }

 private:
  template <class T>
  static int32_t append(std::vector<T>& entries, const T& entry) {
    entries.push_back(entry);
    return static_cast<int32_t>(entries.size()) - 1;
  }
};

}  // namespace tern
