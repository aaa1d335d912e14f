#include "engine/cache/kv_cache.h"

#include <string>

#include "base/check.h"

namespace tern {

KvCache KvCache::without_memory(const CacheLayout& layout, const KvFormat& format,
                                int32_t block_size) {
  KvCache cache;
  cache.format_ = &format;
  cache.block_size_ = block_size;
  size_t before = 0;
  for (const CacheLayout::Paged& shape : layout.paged) {
    const size_t block_bytes = format.block_bytes(block_size, shape.num_kv_heads, shape.head_dim);
    cache.layers_.push_back({shape, block_bytes, before});
    before += 2 * block_bytes;
  }
  return cache;
}

Result<KvCache> KvCache::create(const CacheLayout& layout, const KvFormat& format,
                                int32_t num_blocks, int32_t block_size, DeviceMemory& memory) {
  if (block_size < format.block_multiple || block_size % format.block_multiple != 0)
    return invalid_argument("block_size " + std::to_string(block_size) +
                            ": must be a multiple of " + std::to_string(format.block_multiple));
  KvCache cache = without_memory(layout, format, block_size);
  cache.num_blocks_ = num_blocks;
  const size_t size = bytes(layout, format, num_blocks, block_size);
  if (size == 0) return cache;  // no layer keeps keys and values
  Result<Buffer> buffer = Buffer::allocate(size, memory);
  if (!buffer.ok()) return buffer.status().with_context("KV cache");
  cache.buffer_ = *std::move(buffer);
  return cache;
}

size_t KvCache::bytes(const CacheLayout& layout, const KvFormat& format, int32_t num_blocks,
                      int32_t block_size) {
  size_t sum = 0;
  for (const CacheLayout::Paged& shape : layout.paged)
    sum += 2 * format.block_bytes(block_size, shape.num_kv_heads, shape.head_dim);
  return sum * size_t(num_blocks);
}

KvLayerView KvCache::layer(int32_t id) const {
  TERN_DCHECK(id >= 0 && size_t(id) < layers_.size(), "a layer has declared what it keeps");
  const Layer& layer = layers_[size_t(id)];
  std::byte* keys =
      buffer_.size() > 0 ? buffer_.data() + layer.bytes_before * size_t(num_blocks_) : nullptr;
  return {.format = format_,
          .keys = keys,
          .values = keys != nullptr ? keys + layer.block_bytes * size_t(num_blocks_) : nullptr,
          .num_blocks = num_blocks_,
          .block_size = block_size_,
          .num_kv_heads = layer.shape.num_kv_heads,
          .head_dim = layer.shape.head_dim};
}

}  // namespace tern
