// The pool of KV blocks of one device. Which block belongs to whom is the scheduler's business.
#pragma once

#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/status.h"
#include "engine/cache/cache_layout.h"
#include "kernels/formats/kv_format.h"

namespace tern {

/// Allocated once. Block b of every layer holds the same token positions of the same sequence.
class KvCache {
 public:
  /// `num_blocks` blocks of `block_size` tokens (a multiple of what `format` wants) in `memory`.
  /// kInvalidArgument for a bad block size, kResourceExhausted where the memory is not there,
  /// naming the bytes.
  static Result<KvCache> create(const CacheLayout& layout, const KvFormat& format,
                                int32_t num_blocks, int32_t block_size,
                                DeviceMemory& memory = host_memory());

  /// For dry runs: views have their shapes, and no memory.
  static KvCache without_memory(const CacheLayout& layout, const KvFormat& format,
                                int32_t block_size);

  /// Returns the size of the pool that create() would allocate.
  static size_t bytes(const CacheLayout& layout, const KvFormat& format, int32_t num_blocks,
                      int32_t block_size);

  /// Buffer::populate, of the whole pool's bytes [first, first + bytes).
  void populate(size_t first, size_t bytes) { buffer_.populate(first, bytes); }

  /// Returns the keys and values of the layer that declared `id`.
  KvLayerView layer(int32_t id) const;
  size_t bytes() const { return buffer_.size(); }

 private:
  struct Layer {
    CacheLayout::Paged shape;
    size_t block_bytes;   // of its keys, or of its values, in one block
    size_t bytes_before;  // of one block of the layers before it, keys and values
  };

  std::vector<Layer> layers_;
  const KvFormat* format_ = nullptr;
  int32_t num_blocks_ = 0;
  int32_t block_size_ = 0;
  mutable Buffer buffer_;  // [layer][keys, values][block]
};

}  // namespace tern
