#include "engine/cache/kv_cache.h"

#include <string>

namespace tern {

Result<KvCache> KvCache::create(const KvLayout& layout, int32_t num_blocks, int32_t block_size) {
  if (block_size < kKvLanes || block_size % kKvLanes != 0)
    return invalid_argument("block_size " + std::to_string(block_size) +
                            ": must be a multiple of " + std::to_string(kKvLanes));
  KvCache cache;
  cache.layout_ = layout;
  cache.num_blocks_ = num_blocks;
  cache.block_size_ = block_size;
  Result<Buffer> buffer = Buffer::allocate(bytes(layout, num_blocks, block_size));
  if (!buffer.ok()) return buffer.status().with_context("KV cache");
  cache.buffer_ = *std::move(buffer);
  return cache;
}

KvLayerView KvCache::layer(int32_t index) const {
  const int64_t half = int64_t(num_blocks_) * block_size_ * layout_.num_kv_heads * layout_.head_dim;
  float* keys = buffer_.as<float>() + index * 2 * half;
  return {.keys = keys,
          .values = keys + half,
          .num_blocks = num_blocks_,
          .block_size = block_size_,
          .num_kv_heads = layout_.num_kv_heads,
          .head_dim = layout_.head_dim};
}

}  // namespace tern
