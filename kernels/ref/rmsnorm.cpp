#include "kernels/ops/rmsnorm.h"

#include <cmath>

namespace tern {

void rmsnorm_ref(const RmsNorm::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.x.rows; ++t) {
    const float* x = a.x.row(t);
    double squares = 0;
    for (int64_t i = 0; i < a.x.cols; ++i) squares += double(x[i]) * x[i];
    const double rms = std::sqrt(squares / double(a.x.cols) + a.eps);
    for (int64_t i = 0; i < a.x.cols; ++i)
      a.y.row(t)[i] = static_cast<float>(x[i] / rms * a.gain[i]);
  }
}

}  // namespace tern
