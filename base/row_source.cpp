#include "base/row_source.h"

#include <cstring>

#include "base/check.h"

namespace tern {
namespace {

class DenseRows final : public RowSource {
 public:
  explicit DenseRows(const TensorView& t)
      : RowSource(t.rank < 2 ? 1 : t.num_elements() / last_dim(t), last_dim(t), {.dtype = t.dtype},
                  uint64_t(t.num_elements()) * dtype_bytes(t.dtype)),
        tensor_(t) {}

  void read(int64_t row, float* out) const override {
    const int64_t begin = row * cols();
    switch (tensor_.dtype) {
      case DType::kBf16:
        return widen(static_cast<const Bf16*>(tensor_.data) + begin, out);
      case DType::kF16:
        return widen(static_cast<const F16*>(tensor_.data) + begin, out);
      default:
        std::memcpy(out, static_cast<const float*>(tensor_.data) + begin, cols() * sizeof(float));
    }
  }

  void read_codes(int64_t, uint8_t*, float*, float*) const override {
    TERN_CHECK(false, "floats have no codes");
  }

 private:
  static int64_t last_dim(const TensorView& t) { return t.shape[t.rank == 0 ? 0 : t.rank - 1]; }

  template <class T>
  void widen(const T* values, float* out) const {
    for (int64_t i = 0; i < cols(); ++i) out[i] = to_float(values[i]);
  }

  const TensorView tensor_;
};

class RowStack final : public RowSource {
 public:
  explicit RowStack(std::vector<std::unique_ptr<RowSource>> parts)
      : RowSource(sum(parts, &RowSource::rows), parts.front()->cols(), parts.front()->encoding(),
                  sum(parts, &RowSource::bytes)),
        parts_(std::move(parts)) {}

  void read(int64_t row, float* out) const override { part_of(row).read(row, out); }
  void read_codes(int64_t row, uint8_t* codes, float* a, float* b) const override {
    part_of(row).read_codes(row, codes, a, b);
  }

 private:
  using Parts = std::vector<std::unique_ptr<RowSource>>;

  template <class T>
  static T sum(const Parts& parts, T (RowSource::*get)() const) {
    T total = 0;
    for (const auto& part : parts) total += (*part.*get)();
    return total;
  }

  /// The part that holds `row`, which becomes its row there.
  const RowSource& part_of(int64_t& row) const {
    size_t i = 0;
    while (row >= parts_[i]->rows()) row -= parts_[i++]->rows();
    return *parts_[i];
  }

  const Parts parts_;
};

}  // namespace

std::unique_ptr<RowSource> make_dense_rows(const TensorView& tensor) {
  TERN_CHECK(is_float(tensor.dtype), "dense rows are floats");
  return std::make_unique<DenseRows>(tensor);
}

std::unique_ptr<RowSource> make_row_stack(std::vector<std::unique_ptr<RowSource>> parts) {
  TERN_CHECK(!parts.empty(), "a stack has parts");
  for (const auto& part : parts)
    TERN_CHECK(part->cols() == parts[0]->cols() && part->encoding() == parts[0]->encoding(),
               "stacked rows are alike");
  return std::make_unique<RowStack>(std::move(parts));
}

}  // namespace tern
