// Dense panels of floats: for every 16 rows, for every kStep columns, the weights of a row side by
// side.
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "base/math.h"
#include "kernels/formats/packing.h"
#include "kernels/formats/transpose.h"

namespace tern {
namespace {

void store(float v, float* out) {
  *out = v;
}
void store(float v, Bf16* out) {
  *out = to_bf16(v);
}
void store(float v, F16* out) {
  *out = to_f16(v);
}
float load(float v) {
  return v;
}
template <class T>
float load(T v) {
  return to_float(v);
}

/// Where the weight of (lane, k) lies in a panel.
template <int kStep>
int64_t dense_index(int64_t lane, int64_t k) {
  return (k / kStep * kPanelRows + lane) * kStep + k % kStep;
}

template <class T, int kStep>
size_t dense_bytes(const Encoding&, int64_t rows, int64_t cols) {
  return size_t(round_up(rows, kPanelRows)) * size_t(round_up(cols, kStep)) * sizeof(T);
}

template <class T>
constexpr DType dtype_of() {
  return std::is_same_v<T, Bf16>  ? DType::kBf16
         : std::is_same_v<T, F16> ? DType::kF16
                                  : DType::kF32;
}

/// The rows of one panel as T: where they lie in their file, or converted where they must be.
template <class T>
class PanelRows {
 public:
  explicit PanelRows(const RowSource& source) : source_(source) {}

  const std::byte* const* get(int64_t first_row, int64_t num_rows) {
    const bool same_type = source_.encoding().dtype == dtype_of<T>();
    for (int64_t lane = 0; lane < num_rows; ++lane) {
      rows_[lane] = same_type ? source_.stored(first_row + lane) : nullptr;
      if (rows_[lane] == nullptr) rows_[lane] = converted(first_row + lane, lane);
    }
    return rows_;
  }

 private:
  const std::byte* converted(int64_t row, int64_t lane) {
    const int64_t cols = source_.cols();
    values_.resize(cols);
    converted_.resize(kPanelRows * cols);
    source_.read(row, values_.data());
    T* out = converted_.data() + lane * cols;
    for (int64_t k = 0; k < cols; ++k) store(values_[k], &out[k]);
    return reinterpret_cast<const std::byte*>(out);
  }

  const RowSource& source_;
  const std::byte* rows_[kPanelRows] = {};
  std::vector<float> values_;  // of a row
  std::vector<T> converted_;   // [kPanelRows, cols]
};

template <class T, int kStep>
void pack_dense(const Encoding&, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  using Unit = std::conditional_t<kStep * sizeof(T) == 2, uint16_t, uint32_t>;
  static_assert(sizeof(Unit) == kStep * sizeof(T), "what a panel keeps together of a row");
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  const int64_t cols = source.cols(), whole = cols / kStep;
  const int64_t panel_size = kPanelRows * ceil_div(cols, kStep);
  Unit* panel = reinterpret_cast<Unit*>(packed) + first_row / kPanelRows * panel_size;
  PanelRows<T> rows(source);
  for (int64_t r = first_row; r < first_row + num_rows; r += kPanelRows, panel += panel_size) {
    const int64_t lanes = std::min(kPanelRows, first_row + num_rows - r);
    const std::byte* const* of_panel = rows.get(r, lanes);
    transpose_to_panel(of_panel, lanes, whole, panel);
    if (whole * kStep == cols) continue;
    Unit* tail = panel + whole * kPanelRows;  // a unit that the row fills only in part
    std::memset(tail, 0, kPanelRows * sizeof(Unit));
    for (int64_t lane = 0; lane < lanes; ++lane)
      std::memcpy(tail + lane, of_panel[lane] + whole * sizeof(Unit),
                  (cols - whole * kStep) * sizeof(T));
  }
}

template <class T, int kStep>
void unpack_dense(const WeightView& w, int64_t row, float* out) {
  const T* panel =
      reinterpret_cast<const T*>(w.data) + row / kPanelRows * kPanelRows * round_up(w.cols, kStep);
  for (int64_t k = 0; k < w.cols; ++k)
    out[k] = load(panel[dense_index<kStep>(row % kPanelRows, k)]);
}

template <DType kType>
constexpr Encoding kExample = Encoding::floats(kType);

template <DType kType>
bool takes_floats(const Encoding& e) {
  return e == Encoding::floats(kType);
}

template <class T, int kStep = 1>
constexpr Packing dense(std::string_view name, const InputLayout& input, ComputeSet computes) {
  constexpr DType kType = dtype_of<T>();
  return {.name = name,
          .type = kType == DType::kF32   ? "f32"
                  : kType == DType::kF16 ? "f16"
                                         : "bf16",
          .input = &input,
          .computes = computes,
          .takes = takes_floats<kType>,
          .packed_bytes = dense_bytes<T, kStep>,
          .pack_rows = pack_dense<T, kStep>,
          .unpack_row = unpack_dense<T, kStep>,
          .examples = {&kExample<kType>, 1}};
}

}  // namespace

constinit const Packing kF32Packing = dense<float>("f32", kF32Input, kEveryCompute);
constinit const Packing kF16Packing = dense<F16>("f16", kF32Input, kEveryCompute);
constinit const Packing kBf16Packing = dense<Bf16>("bf16", kF32Input, only(Compute::kF32));
constinit const Packing kBf16DotPacking =
    dense<Bf16, 2>("bf16_dot", kBf16Input, only(Compute::kFast));

}  // namespace tern
