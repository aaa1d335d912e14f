#include "kernels/ops/gemm.h"

#include <vector>

namespace tern {

void gemm_ref(const Gemm::Args& a, const Exec&) {
  const Packing& packing = *a.w.format.packing;
  std::vector<float> w(a.w.cols);
  std::vector<double> x(a.x.rows * a.x.cols);
  for (int64_t t = 0; t < a.x.rows; ++t)
    packing.input->decode_row(a.x.row(t), a.x.cols, a.w.format.encoding.group,
                              x.data() + t * a.x.cols);
  for (int64_t o = 0; o < a.w.rows; ++o) {
    packing.unpack_row(a.w, o, w.data());
    for (int64_t t = 0; t < a.x.rows; ++t) {
      double sum = 0;
      for (int64_t k = 0; k < a.w.cols; ++k) sum += x[t * a.x.cols + k] * w[k];
      if (a.bias != nullptr) sum += a.bias[o];
      a.y.row(t)[o] = static_cast<float>(sum);
    }
  }
}

}  // namespace tern
