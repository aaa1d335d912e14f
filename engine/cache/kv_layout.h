// What one token costs in the KV cache: asked of the model, used for sizing the pool.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

struct KvLayout {
  int32_t num_layers = 0;
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;

  /// Keys and values of all layers, f32.
  size_t bytes_per_token() const {
    return size_t(2) * sizeof(float) * num_layers * num_kv_heads * head_dim;
  }
};

}  // namespace tern
