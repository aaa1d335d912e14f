// How the CPU keeps keys and values: f32, keys transposed within groups of kKvLanes positions, so
// that one vector holds one dimension of 16 keys and no score needs a horizontal sum. A block has
//   keys   [kv_head][block_size / kKvLanes][head_dim][kKvLanes]
//   values [kv_head][block_size][head_dim]
#pragma once

#include "kernels/formats/kv_format.h"

namespace tern {

constexpr int64_t kKvLanes = 16;

extern const KvFormat kKvPanels;

/// A layer in kKvPanels, as numbers.
struct KvPanels {
  float* keys;
  float* values;
  int64_t block_size;
  int64_t num_kv_heads;
  int64_t head_dim;

  static KvPanels of(const KvLayerView& kv) {
    return {reinterpret_cast<float*>(kv.keys), reinterpret_cast<float*>(kv.values), kv.block_size,
            kv.num_kv_heads, kv.head_dim};
  }

  int64_t head_stride() const { return block_size * head_dim; }
  int64_t block_stride() const { return num_kv_heads * head_stride(); }

  /// Element (dimension 0) of the key of `kv_head` at `slot` = block * block_size + offset; the
  /// next dimension is kKvLanes further.
  float* key(int64_t slot, int64_t kv_head) const {
    const int64_t offset = slot % block_size;
    return keys + slot / block_size * block_stride() + kv_head * head_stride() +
           offset / kKvLanes * kKvLanes * head_dim + offset % kKvLanes;
  }
  /// The value of `kv_head` at `slot`, contiguous.
  float* value(int64_t slot, int64_t kv_head) const {
    return values + slot / block_size * block_stride() + kv_head * head_stride() +
           slot % block_size * head_dim;
  }
};

}  // namespace tern
