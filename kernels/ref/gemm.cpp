#include "kernels/ops/gemm.h"

#include <vector>

#include "kernels/formats/bfp16.h"
#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

/// Row `row` of x as the weights' format sees it.
void decode_input(const Gemm::Args& a, int64_t row, double* out) {
  const Format& f = format(a.w.format);
  const std::byte* x = a.x.row(row);
  const IntInput layout = f.bits > 0 ? IntInput::of(f, a.x.cols) : IntInput{};
  for (int64_t k = 0; k < a.x.cols; ++k) switch (f.input) {
      case InputType::kF32:
        out[k] = reinterpret_cast<const float*>(x)[k];
        break;
      case InputType::kBf16:
        out[k] = to_float(reinterpret_cast<const Bf16*>(x)[k]);
        break;
      case InputType::kBfp16:
        out[k] = double(reinterpret_cast<const int16_t*>(x)[k]) *
                 Bfp16Input::of(a.x.cols).scales(x)[k / kBfp16Group];
        break;
      case InputType::kInt8:
      case InputType::kInt16:
        out[k] = double(layout.value(x, k)) * layout.scales(x)[k / f.group];
        break;
    }
}

}  // namespace

void gemm_ref(const Gemm::Args& a, const Exec&) {
  std::vector<float> w(a.w.cols);
  std::vector<double> x(a.x.rows * a.x.cols);
  for (int64_t t = 0; t < a.x.rows; ++t) decode_input(a, t, x.data() + t * a.x.cols);
  for (int64_t o = 0; o < a.w.rows; ++o) {
    format(a.w.format).unpack_row(a.w, o, w.data());
    for (int64_t t = 0; t < a.x.rows; ++t) {
      double sum = 0;
      for (int64_t k = 0; k < a.w.cols; ++k) sum += x[t * a.x.cols + k] * w[k];
      if (a.bias != nullptr) sum += a.bias[o];
      a.y.row(t)[o] = static_cast<float>(sum);
    }
  }
}

}  // namespace tern
