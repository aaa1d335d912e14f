#include "kernels/formats/kv_panels.h"

namespace tern {

constinit const KvFormat kKvPanels = {
    .name = "panels_f32",
    .block_multiple = kKvLanes,
    .block_bytes = [](int64_t block_size, int64_t num_kv_heads, int64_t head_dim) {
      return size_t(block_size * num_kv_heads * head_dim) * sizeof(float);
    }};

}  // namespace tern
