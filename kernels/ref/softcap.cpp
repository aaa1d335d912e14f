#include "kernels/ops/softcap.h"

#include <cmath>

namespace tern {

void softcap_ref(const Softcap::Args& a, const Exec&) {
  for (int64_t r = 0; r < a.x.rows; ++r)
    for (int64_t i = 0; i < a.x.cols; ++i) {
      float& x = a.x.row(r)[i];
      x = static_cast<float>(a.cap * std::tanh(double(x) / a.cap));
    }
}

}  // namespace tern
