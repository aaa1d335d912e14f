// How keys and values lie in the blocks of the KV pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern {

/// Answered by a device's attention kernels: the pool is allocated by it, and nobody else looks
/// into a block.
struct KvFormat {
  std::string_view name;
  int64_t block_multiple = 1;  ///< a block holds a multiple of so many tokens
  /// Of a layer's keys or values in one block of `block_size` tokens.
  size_t (*block_bytes)(int64_t block_size, int64_t num_kv_heads, int64_t head_dim) = nullptr;
};

/// Bytes of one block of one layer are the keys of all heads, then in another array the values.
struct KvLayerView {
  const KvFormat* format = nullptr;
  std::byte* keys = nullptr;    ///< [num_blocks, block_bytes]
  std::byte* values = nullptr;  ///< [num_blocks, block_bytes]
  int64_t num_blocks = 0;
  int64_t block_size = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;

  int64_t bytes() const {
    return num_blocks * int64_t(format->block_bytes(block_size, num_kv_heads, head_dim));
  }
};

}  // namespace tern
