#include "engine/step/stage_batch.h"

#include <cstring>

#include "base/math.h"

namespace tern {
namespace {

/// fn(array) for every array of a batch that a model reads.
template <class Fn>
void for_each_array(StepBatch& b, const Fn& fn) {
  fn(b.token_ids);
  fn(b.positions);
  fn(b.visible_end);
  fn(b.slot_mapping);
  fn(b.cu_seqlens_q);
  fn(b.context_lens);
  fn(b.rope_variants);
  fn(b.state_slots);
  fn(b.logits_rows);
  std::span<const int32_t> table(b.block_table.data,
                                 size_t(b.block_table.rows * b.block_table.stride));
  fn(table);
  b.block_table.data = table.data();
}

constexpr size_t kAlignment = 64;

}  // namespace

Result<StepBatch> StagedBatch::stage(const StepBatch& batch, void* stream) {
  if (memory_.is_host()) return batch;
  StepBatch staged = batch;
  host_.clear();
  for_each_array(staged, [&](auto& array) {
    const size_t begin = host_.size();
    host_.resize(begin + round_up(array.size_bytes(), kAlignment));
    std::memcpy(host_.data() + begin, array.data(), array.size_bytes());
  });
  if (device_.size() < host_.size()) {
    device_ = Buffer();
    TERN_ASSIGN(device_, Buffer::allocate(2 * host_.size(), memory_));
  }
  memory_.copy_to_device(device_.data(), host_.data(), host_.size(), stream);
  size_t begin = 0;
  for_each_array(staged, [&](auto& array) {
    using T = std::remove_cvref_t<decltype(array[0])>;
    array = {reinterpret_cast<const T*>(device_.data() + begin), array.size()};
    begin += round_up(array.size_bytes(), kAlignment);
  });
  return staged;
}

}  // namespace tern
