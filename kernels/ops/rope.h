// Rotary position embedding, half-split (NeoX) pairs: (x[i], x[i + d/2]) turns by an angle of the
// token's position; d = rotary width, the rest of a head passes through.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Rope {
  static constexpr std::string_view kName = "rope";

  struct Args {
    MatView<float> x;                    ///< [tokens, num_heads * head_dim], turned in place
    const int32_t* positions = nullptr;  ///< [tokens]: rows of cos_sin
    int64_t head_dim = 0;
    /// [positions, d]: d/2 cosines, then d/2 sines; d is even and at most head_dim.
    MatView<const float> cos_sin;
  };

  /// Largest |y - reference| per unit of |x[i]| + |x[i + d/2]|.
  static constexpr double kTolerance = 1e-6;
};

void rope_ref(const Rope::Args& a, const Exec&);

}  // namespace tern
