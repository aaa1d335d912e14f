// A linear layer: packed weights, and a bias where the checkpoint has one.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "engine/model/step.h"
#include "kernels/registry.h"

namespace tern {

/// How a matrix [out, in] may be divided over ranks.
enum class Cut : uint8_t {
  kNone,   ///< every rank has it whole
  kRows,   ///< of its outputs: each rank gives some columns of y
  kHeads,  ///< the same by whole heads of attention, which a rank then has alone
  kCols,   ///< of its inputs: the ranks' results are summed
};

/// A linear layer in the checkpoint.
struct LinearName {
  std::string name;
  int64_t out = 0;
  Cut cut = Cut::kNone;
  int64_t head_dim = 1;  ///< of kHeads: rows of a head
  std::vector<int64_t>
      sections;  ///< rows that are cut apart, of a fused projection q, k and v; empty = one
};

/// What linear layers read: brought once into each layout in which their weights' kernels want it.
/// Engine thread; lives no longer than the workspace's scope it was made in.
class LinearInput {
 public:
  /// x: [tokens, in]; must stay as it is while layers read it.
  LinearInput(MatView<float> x, Step& step) : x_(x), step_(step) {}

  /// x as kernels of `w` read it.
  InputView as(const WeightView& w);

  MatView<const float> x() const { return read_only(x_); }
  const Step& step() const { return step_; }

 private:
  struct Made {
    const InputLayout* layout;
    int32_t group;
    const int32_t* order;  // of a gather
    InputView view;
  };
  static constexpr int kMostMade = 8;

  InputView gathered(const int32_t* order, int64_t cols);
  InputView* find(const InputLayout* layout, int32_t group, const int32_t* order);
  InputView keep(const Made& made);

  const MatView<float> x_;
  Step& step_;
  std::array<Made, kMostMade> made_;
  int num_made_ = 0;
};

struct Linear {
  std::vector<LinearName>
      names;           ///< the checkpoint's matrices that are its rows, from first to last
  WeightView weight;   ///< [out, in]
  Buffer packed;       ///< what `weight` views
  Buffer input_order;  ///< the same
  Buffer bias;         ///< [out] f32, or empty

  int64_t out() const { return weight.rows; }

  /// y = x Wᵀ + b; x [tokens, in], y [tokens, out], which may not overlap x.
  void forward(LinearInput& x, MatView<float> y) const {
    if (x.step().tap != nullptr) x.step().tap->on_input(*this, x.x());
    dispatch(
        kernels().gemm,
        {.x = x.as(weight), .w = weight, .bias = bias.size() ? bias.as<float>() : nullptr, .y = y},
        x.step().ex);
  }
  void forward(Step& step, MatView<float> x, MatView<float> y) const {
    const auto scope = step.ws.scope();
    LinearInput input(x, step);
    forward(input, y);
  }
};

/// y += scale * x.
inline void add_to(MatView<float> x, float scale, MatView<float> y, const Exec& ex) {
  dispatch(kernels().add, {.x = read_only(x), .scale = scale, .y = y}, ex);
}

/// Linear layers that read the same input, their outputs side by side: one multiplication where
/// their weights have one format.
struct LinearGroup {
  std::vector<Linear> parts;

  int64_t in() const { return parts.front().weight.cols; }
  int64_t out() const;

  /// y: [tokens, out()].
  void forward(LinearInput& x, MatView<float> y) const;
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
