#include "kernels/formats/format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/math.h"

namespace tern {
namespace {

// Dense panels: for every 16 rows, for every column k, the 16 weights of that column side by side.

void store(float v, float* out) {
  *out = v;
}
void store(float v, Bf16* out) {
  *out = to_bf16(v);
}
float load(float v) {
  return v;
}
float load(Bf16 v) {
  return to_float(v);
}

template <class T>
size_t packed_bytes(int64_t rows, int64_t cols) {
  return size_t(round_up(rows, kPanelRows)) * size_t(cols) * sizeof(T);
}

template <class T>
void pack_rows(const TensorView& source, int64_t first_row, int64_t num_rows, std::byte* packed) {
  const int64_t cols = source.shape[1];
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  T* panel = reinterpret_cast<T*>(packed) + first_row * cols;
  for (int64_t r = first_row; r < first_row + num_rows;
       r += kPanelRows, panel += kPanelRows * cols) {
    const int64_t lanes = std::min(kPanelRows, first_row + num_rows - r);
    if (lanes < kPanelRows)
      std::memset(static_cast<void*>(panel), 0, kPanelRows * cols * sizeof(T));
    for (int64_t lane = 0; lane < lanes; ++lane)
      for (int64_t k = 0; k < cols; ++k)
        store(float_element(source, (r + lane) * cols + k), &panel[k * kPanelRows + lane]);
  }
}

template <class T>
void unpack_row(const WeightView& w, int64_t row, float* out) {
  const T* lane = reinterpret_cast<const T*>(w.data) + row / kPanelRows * kPanelRows * w.cols +
                  row % kPanelRows;
  for (int64_t k = 0; k < w.cols; ++k) out[k] = load(lane[k * kPanelRows]);
}

constexpr std::array kFormats{
    Format{FormatId::kF32, "f32", packed_bytes<float>, pack_rows<float>, unpack_row<float>},
    Format{FormatId::kBf16, "bf16", packed_bytes<Bf16>, pack_rows<Bf16>, unpack_row<Bf16>},
};

}  // namespace

const Format& format(FormatId id) {
  return kFormats[static_cast<size_t>(id)];
}

}  // namespace tern
