#include "engine/model/linear.h"

#include "base/check.h"

namespace tern {

InputView* LinearInput::find(const InputLayout* layout, int32_t group, const int32_t* order) {
  for (int i = 0; i < num_made_; ++i)
    if (made_[i].layout == layout && made_[i].group == group && made_[i].order == order)
      return &made_[i].view;
  return nullptr;
}

InputView LinearInput::keep(const Made& made) {
  TERN_CHECK(num_made_ < kMostMade, "layers with one input want few layouts of it");
  made_[num_made_++] = made;
  return made.view;
}

InputView LinearInput::gathered(const int32_t* order, int64_t cols) {
  if (const InputView* made = find(nullptr, 0, order)) return *made;
  const MatView<float> y = step_.ws.mat<float>(x_.rows, cols);
  dispatch(kernels().gather_cols, {.x = read_only(x_), .cols = order, .y = y}, step_.ex);
  return keep({nullptr, 0, order, f32_input(read_only(y))});
}

InputView LinearInput::as(const WeightView& w) {
  const InputLayout& layout = *w.format.packing->input;
  const bool is_gather = w.format.encoding.input == InputTransform::kGather;
  const InputView x = is_gather ? gathered(w.input_order, w.cols) : f32_input(read_only(x_));
  if (layout.is_plain()) return x;
  const int32_t group = layout.per_group ? w.format.encoding.group : 0;
  const int32_t* order = is_gather ? w.input_order : nullptr;
  if (const InputView* made = find(&layout, group, order)) return *made;
  const MatView<const float> from{reinterpret_cast<const float*>(x.data), x.rows, x.cols,
                                  x.stride / int64_t(sizeof(float))};
  const int64_t stride = layout.row_bytes(x.cols, group);
  std::byte* out = step_.ws.array<std::byte>(x.rows * stride);
  dispatch(kernels().quantize_input, {.x = from, .layout = &layout, .group = group, .out = out},
           step_.ex);
  return keep({&layout, group, order, {out, x.rows, x.cols, stride}});
}

int64_t LinearGroup::out() const {
  int64_t sum = 0;
  for (const Linear& part : parts) sum += part.out();
  return sum;
}

void LinearGroup::forward(LinearInput& x, MatView<float> y) const {
  int64_t first = 0;
  for (const Linear& part : parts) {
    part.forward(x, columns(y, first, part.out()));
    first += part.out();
  }
}

}  // namespace tern
