#include "kernels/ops/rmsnorm.h"

#include <cmath>

namespace tern {

void rmsnorm_ref(const RmsNorm::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.x.rows; ++t)
    for (int64_t begin = 0; begin < a.x.cols; begin += a.width) {
      const float* x = a.x.row(t) + begin;
      double squares = 0;
      for (int64_t i = 0; i < a.width; ++i) squares += double(x[i]) * x[i];
      const double rms = std::sqrt(squares / double(a.width) + a.eps);
      for (int64_t i = 0; i < a.width; ++i)
        a.y.row(t)[begin + i] = static_cast<float>(x[i] / rms * a.gain[i]);
    }
}

}  // namespace tern
