// Rotary position embedding, half-split (NeoX) pairs: (x[i], x[i + d/2]) turns by an angle of the
// token's position; d = rotary width, the rest of a head passes through.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Rope {
  static constexpr std::string_view kName = "rope";

  struct Args {
    MatView<float> x;                    ///< [tokens, num_heads * head_dim], turned in place
    const int32_t* positions = nullptr;  ///< [tokens]
    int64_t head_dim = 0;
    /// [rows, d]: d/2 cosines, then d/2 sines; d is even and at most head_dim. Row `position` is of
    /// that position.
    MatView<const float> cos_sin;
    /// [tokens], or null: all 0. Token t takes the row variants[t] · variant_rows further on.
    const int32_t* variants = nullptr;
    int64_t variant_rows = 0;

    /// What turns token t.
    const float* angles(int64_t t) const {
      return cos_sin.row(positions[t] + (variants != nullptr ? variants[t] * variant_rows : 0));
    }
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x, Access::kUpdate);
    v.array(a.positions, a.x.rows);
    v.rows(a.cos_sin);
    v.array(a.variants, a.x.rows);
  }

  /// Largest |y - reference| per unit of |x[i]| + |x[i + d/2]|.
  static constexpr double kTolerance = 1e-6;
};

void rope_ref(const Rope::Args& a, const Exec&);

}  // namespace tern
