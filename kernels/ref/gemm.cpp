#include "kernels/ops/gemm.h"

#include <vector>

namespace tern {

void gemm_ref(const Gemm::Args& a, const Exec&) {
  std::vector<float> w(a.w.cols);
  for (int64_t o = 0; o < a.w.rows; ++o) {
    format(a.w.format).unpack_row(a.w, o, w.data());
    for (int64_t t = 0; t < a.x.rows; ++t) {
      const float* x = a.x.row(t);
      double sum = 0;
      for (int64_t k = 0; k < a.w.cols; ++k) sum += double(x[k]) * w[k];
      if (a.bias != nullptr) sum += a.bias[o];
      a.y.row(t)[o] = static_cast<float>(sum);
    }
  }
}

}  // namespace tern
