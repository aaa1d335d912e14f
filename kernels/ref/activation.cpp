#include "kernels/ops/activation.h"

#include <cmath>
#include <numbers>

namespace tern {
namespace {

double sigmoid(double v) {
  return 1 / (1 + std::exp(-v));
}

double activate(Activation activation, double v) {
  if (activation == Activation::kSilu) return v * sigmoid(v);
  const double u = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
  return v * sigmoid(2 * u);
}

}  // namespace

void gated_activation_ref(const GatedActivation::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.y.rows; ++t)
    for (int64_t i = 0; i < a.y.cols; ++i)
      a.y.row(t)[i] = static_cast<float>(activate(a.activation, a.gate.row(t)[i]) * a.up.row(t)[i]);
}

}  // namespace tern
