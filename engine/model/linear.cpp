#include "engine/model/linear.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

class PackedRows final : public RowSource {
 public:
  explicit PackedRows(const WeightView& w)
      : RowSource(w.rows, w.cols, {.dtype = DType::kF32}, 0), weight_(w) {}

  void read(int64_t row, float* out) const override {
    format(weight_.format).unpack_row(weight_, row, out);
  }
  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "unpacked rows have no codes");
  }

 private:
  const WeightView weight_;
};

}  // namespace

InputView LinearInput::as(FormatId id) {
  const Format& f = format(id);
  if (f.input == InputType::kF32) return f32_input(read_only(x_));
  if (scratch_ == nullptr) scratch_ = ws_.array<std::byte>(workspace_bytes(x_.rows, x_.cols));
  if (made_ != f.input || made_group_ != f.group) {
    dispatch(kernels().quantize_input, {.x = read_only(x_), .format = id, .out = scratch_}, ex_);
    made_ = f.input, made_group_ = f.group;
  }
  return {scratch_, x_.rows, x_.cols, input_row_bytes(f, x_.cols)};
}

size_t LinearInput::workspace_bytes(int64_t tokens, int64_t in) {
  int64_t row_bytes = 0;
  for (const Format& f : formats())
    if (f.input != InputType::kF32) row_bytes = std::max(row_bytes, input_row_bytes(f, in));
  return Workspace::footprint<std::byte>(tokens * row_bytes);
}

std::unique_ptr<RowSource> make_packed_rows(const WeightView& weight) {
  return std::make_unique<PackedRows>(weight);
}

int64_t LinearGroup::out() const {
  int64_t sum = 0;
  for (const Linear& part : parts) sum += part.out();
  return sum;
}

void LinearGroup::forward(LinearInput& x, MatView<float> y, const Exec& ex) const {
  int64_t first = 0;
  for (const Linear& part : parts) {
    part.forward(x, columns(y, first, part.out()), ex);
    first += part.out();
  }
}

}  // namespace tern
