#include "kernels/ops/rope.h"

namespace tern {

void rope_ref(const Rope::Args& a, const Exec&) {
  const int64_t half = a.cos_sin.cols / 2;
  for (int64_t t = 0; t < a.x.rows; ++t) {
    const float* cosines = a.angles(t);
    const float* sines = cosines + half;
    for (int64_t head = 0; head < a.x.cols; head += a.head_dim) {
      float* x = a.x.row(t) + head;
      for (int64_t i = 0; i < half; ++i) {
        const double first = x[i], second = x[half + i];
        x[i] = static_cast<float>(first * cosines[i] - second * sines[i]);
        x[half + i] = static_cast<float>(second * cosines[i] + first * sines[i]);
      }
    }
  }
}

}  // namespace tern
