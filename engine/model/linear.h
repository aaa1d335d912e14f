// A linear layer: packed weights, and a bias where the checkpoint has one.
#pragma once

#include "base/buffer.h"
#include "kernels/registry.h"

namespace tern {

struct Linear {
  WeightView weight;  ///< [out, in]
  Buffer packed;      ///< what `weight` views; empty where the weights are shared
  Buffer bias;        ///< [out] f32, or empty

  int64_t out() const { return weight.rows; }

  /// y = x Wᵀ + b; x [tokens, in], y [tokens, out].
  void forward(MatView<float> x, MatView<float> y, const Exec& ex) const {
    dispatch(
        kernels().gemm,
        {.x = read_only(x), .w = weight, .bias = bias.size() ? bias.as<float>() : nullptr, .y = y},
        ex);
  }
};

/// y += scale * x.
inline void add_to(MatView<float> x, float scale, MatView<float> y, const Exec& ex) {
  dispatch(kernels().add, {.x = read_only(x), .scale = scale, .y = y}, ex);
}

/// RMSNorm with a learned gain.
struct Norm {
  Buffer gain;  ///< [hidden] f32
  float eps = 1e-5f;

  void forward(MatView<float> x, MatView<float> y, const Exec& ex) const {
    dispatch(kernels().rmsnorm, {.x = read_only(x), .gain = gain.as<float>(), .eps = eps, .y = y},
             ex);
  }
};

}  // namespace tern
