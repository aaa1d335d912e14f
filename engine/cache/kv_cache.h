// The pool of KV blocks of one device. Which block belongs to whom is the scheduler's business.
#pragma once

#include <memory>

#include "base/buffer.h"
#include "base/status.h"
#include "engine/cache/kv_layout.h"
#include "kernels/ops/attention.h"

namespace tern {

/// Allocated once. Block b of every layer holds the same token positions of the same sequence.
class KvCache {
 public:
  /// `num_blocks` blocks of `block_size` tokens (a multiple of kKvLanes). kInvalidArgument for a
  /// bad block size, kResourceExhausted where the memory is not there, naming the bytes.
  static Result<KvCache> create(const KvLayout& layout, int32_t num_blocks, int32_t block_size);

  /// Of the pool that create() would allocate.
  static size_t bytes(const KvLayout& layout, int32_t num_blocks, int32_t block_size) {
    return layout.bytes_per_token() * size_t(block_size) * size_t(num_blocks);
  }

  /// Buffer::populate, of the whole pool's bytes [first, first + bytes).
  void populate(size_t first, size_t bytes) { buffer_.populate(first, bytes); }

  KvLayerView layer(int32_t index) const;
  size_t bytes() const { return buffer_.size(); }

 private:
  KvLayout layout_;
  int32_t num_blocks_ = 0;
  int32_t block_size_ = 0;
  mutable Buffer buffer_;  // [layer][keys, values][KvLayerView's layout]
};

}  // namespace tern
