// The memory of the slots in which layers keep a sequence's state besides KV. Which slot belongs to
// whom is the scheduler's business.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/check.h"
#include "base/status.h"
#include "base/tensor.h"
#include "engine/cache/cache_layout.h"

namespace tern {

/// Allocated once, uninitialised: a slot holds nothing that counts until a step has written it. One
/// thread.
class StateCache {
 public:
  /// `num_slots` slots of what `layout` declares, in `memory`, which must outlive them. Nothing is
  /// allocated where it declares none. kResourceExhausted naming the bytes.
  static Result<StateCache> create(const CacheLayout& layout, int32_t num_slots,
                                   DeviceMemory& memory = host_memory());

  /// For dry runs: views have their shapes, and no memory.
  static StateCache without_memory(const CacheLayout& layout, int32_t num_slots);

  /// Returns the size of the memory that create() would allocate.
  static size_t bytes(const CacheLayout& layout, int32_t num_slots);

  /// What all layers keep in slot `from` is also in slot `to`, for what is enqueued on `stream`
  /// behind this call.
  void copy(int32_t from, int32_t to, void* stream);

  /// Row s is what the layer that declared `id` keeps in slot s, [num_slots, bytes_per_seq /
  /// sizeof(T)], aligned to 64 bytes; in the memory's own addresses.
  template <class T>
  MatView<T> layer(int32_t id) const {
    const Part& part = parts_.at(size_t(id));
    TERN_CHECK(part.bytes % sizeof(T) == 0, "a slot is an array of what its layer reads");
    std::byte* first = buffer_.size() > 0 ? buffer_.data() + part.offset : nullptr;
    return {reinterpret_cast<T*>(first), num_slots_, int64_t(part.bytes / sizeof(T)),
            int64_t(slot_bytes_ / sizeof(T))};
  }

  Buffer& buffer() { return buffer_; }
  bool empty() const { return parts_.empty(); }

 private:
  struct Part {  // of a slot: one layer's
    size_t offset, bytes;
  };

  std::vector<Part> parts_;
  size_t slot_bytes_ = 0;
  int32_t num_slots_ = 0;
  DeviceMemory* memory_ = nullptr;
  mutable Buffer buffer_;  // [slot][layer]
};

}  // namespace tern
