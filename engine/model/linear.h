// A linear layer: packed weights, and a bias where the checkpoint has one.
#pragma once

#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/workspace.h"
#include "kernels/registry.h"

namespace tern {

/// What linear layers read: brought once into each type that their weights are multiplied with.
/// Engine thread; lives no longer than the workspace's scope it was made in.
class LinearInput {
 public:
  /// x: [tokens, in]; must stay as it is while layers read it.
  LinearInput(MatView<float> x, Workspace& ws, const Exec& ex) : x_(x), ws_(ws), ex_(ex) {}

  /// x as kernels of weights in format `id` read it.
  InputView as(FormatId id);

  /// Workspace that as() takes at most.
  static size_t workspace_bytes(int64_t tokens, int64_t in);

 private:
  const MatView<float> x_;
  Workspace& ws_;
  const Exec& ex_;
  InputType made_ = InputType::kF32;  // what scratch_ holds; f32: nothing
  int32_t made_group_ = 0;
  std::byte* scratch_ = nullptr;
};

struct Linear {
  WeightView weight;  ///< [out, in]
  Buffer packed;      ///< what `weight` views; empty where the weights are shared
  Buffer bias;        ///< [out] f32, or empty

  int64_t out() const { return weight.rows; }

  /// y = x Wᵀ + b; x [tokens, in], y [tokens, out], which may not overlap x.
  void forward(LinearInput& x, MatView<float> y, const Exec& ex) const {
    dispatch(kernels().gemm,
             {.x = x.as(weight.format),
              .w = weight,
              .bias = bias.size() ? bias.as<float>() : nullptr,
              .y = y},
             ex);
  }
  void forward(MatView<float> x, MatView<float> y, Workspace& ws, const Exec& ex) const {
    const auto scope = ws.scope();
    LinearInput input(x, ws, ex);
    forward(input, y, ex);
  }
};

/// y += scale * x.
inline void add_to(MatView<float> x, float scale, MatView<float> y, const Exec& ex) {
  dispatch(kernels().add, {.x = read_only(x), .scale = scale, .y = y}, ex);
}

/// The rows of a packed matrix, whose data must outlive them. read() gives what the kernels see.
std::unique_ptr<RowSource> make_packed_rows(const WeightView& weight);

/// Linear layers that read the same input, their outputs side by side: one multiplication where
/// their weights have one format.
struct LinearGroup {
  std::vector<Linear> parts;

  int64_t in() const { return parts.front().weight.cols; }
  int64_t out() const;

  /// y: [tokens, out()].
  void forward(LinearInput& x, MatView<float> y, const Exec& ex) const;
};

/// RMSNorm with a learned gain, of whole rows or of each head in them.
struct Norm {
  Buffer gain;  ///< [width] f32; rows hold one or several groups of that many
  float eps = 1e-5f;

  int64_t width() const { return static_cast<int64_t>(gain.size() / sizeof(float)); }

  void forward(MatView<float> x, MatView<float> y, const Exec& ex) const {
    dispatch(kernels().rmsnorm,
             {.x = read_only(x), .gain = gain.as<float>(), .width = width(), .eps = eps, .y = y},
             ex);
  }
};

}  // namespace tern
