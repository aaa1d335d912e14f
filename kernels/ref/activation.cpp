#include "kernels/ops/activation.h"

#include <cmath>

namespace tern {

void silu_mul_ref(const SiluMul::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t i = 0; i < a.y.cols; ++i) {
      const double gate = a.gate.row(t)[i], up = a.up.row(t)[i];
      a.y.row(t)[i] = static_cast<float>(gate / (1 + std::exp(-gate)) * up);
    }
}

}  // namespace tern
