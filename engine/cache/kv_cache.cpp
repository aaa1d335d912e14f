#include "engine/cache/kv_cache.h"

#include <string>

namespace tern {

KvCache KvCache::without_memory(const KvLayout& layout, const KvFormat& format,
                                int32_t block_size) {
  KvCache cache;
  cache.layout_ = layout;
  cache.format_ = &format;
  cache.block_size_ = block_size;
  return cache;
}

Result<KvCache> KvCache::create(const KvLayout& layout, const KvFormat& format, int32_t num_blocks,
                                int32_t block_size, DeviceMemory& memory) {
  if (block_size < format.block_multiple || block_size % format.block_multiple != 0)
    return invalid_argument("block_size " + std::to_string(block_size) +
                            ": must be a multiple of " + std::to_string(format.block_multiple));
  KvCache cache = without_memory(layout, format, block_size);
  cache.num_blocks_ = num_blocks;
  Result<Buffer> buffer = Buffer::allocate(bytes(layout, format, num_blocks, block_size), memory);
  if (!buffer.ok()) return buffer.status().with_context("KV cache");
  cache.buffer_ = *std::move(buffer);
  return cache;
}

size_t KvCache::bytes(const KvLayout& layout, const KvFormat& format, int32_t num_blocks,
                      int32_t block_size) {
  return size_t(2) * layout.num_layers * num_blocks *
         format.block_bytes(block_size, layout.num_kv_heads, layout.head_dim);
}

KvLayerView KvCache::layer(int32_t index) const {
  const size_t half = size_t(num_blocks_) *
                      format_->block_bytes(block_size_, layout_.num_kv_heads, layout_.head_dim);
  std::byte* keys = buffer_.size() > 0 ? buffer_.data() + index * 2 * half : nullptr;
  return {.format = format_,
          .keys = keys,
          .values = keys != nullptr ? keys + half : nullptr,
          .num_blocks = num_blocks_,
          .block_size = block_size_,
          .num_kv_heads = layout_.num_kv_heads,
          .head_dim = layout_.head_dim};
}

}  // namespace tern
