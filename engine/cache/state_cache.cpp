#include "engine/cache/state_cache.h"

#include "base/math.h"

namespace tern {

StateCache StateCache::without_memory(const CacheLayout& layout, int32_t num_slots) {
  constexpr size_t kAlignment = 64;
  StateCache cache;
  cache.num_slots_ = num_slots;
  for (const CacheLayout::Slot& slot : layout.slots) {
    cache.parts_.push_back({cache.slot_bytes_, slot.bytes_per_seq});
    cache.slot_bytes_ += round_up(slot.bytes_per_seq, kAlignment);
  }
  return cache;
}

Result<StateCache> StateCache::create(const CacheLayout& layout, int32_t num_slots,
                                      DeviceMemory& memory) {
  StateCache cache = without_memory(layout, num_slots);
  cache.memory_ = &memory;
  const size_t size = bytes(layout, num_slots);
  if (size == 0) return cache;
  Result<Buffer> buffer = Buffer::allocate(size, memory);
  if (!buffer.ok()) return buffer.status().with_context("slots of state");
  cache.buffer_ = *std::move(buffer);
  return cache;
}

size_t StateCache::bytes(const CacheLayout& layout, int32_t num_slots) {
  return without_memory(layout, num_slots).slot_bytes_ * size_t(num_slots);
}

void StateCache::copy(int32_t from, int32_t to, void* stream) {
  TERN_CHECK(from >= 0 && from < num_slots_ && to >= 0 && to < num_slots_ && from != to,
             "a state is copied from one slot to another");
  memory_->copy_on_device(buffer_.data() + size_t(to) * slot_bytes_,
                          buffer_.data() + size_t(from) * slot_bytes_, slot_bytes_, stream);
}

}  // namespace tern
