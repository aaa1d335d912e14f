#include "kernels/ops/quantize_input.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/formats/bfp16.h"
#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

constexpr float kSmallest = 1e-30f;

void round_to_bf16(const float* x, int64_t cols, std::byte* out) {
  Bf16* values = reinterpret_cast<Bf16*>(out);
  for (int64_t k = 0; k < cols; ++k) values[k] = to_bf16(x[k]);
}

void quantize_group(const float* x, int64_t size, float most, int32_t* values, float& scale,
                    int32_t& sum) {
  float largest = 0;
  bool finite = true;
  for (int64_t k = 0; k < size; ++k) {
    largest = std::max(largest, std::abs(x[k]));
    finite = finite && std::isfinite(x[k]);
  }
  sum = 0;
  scale = finite && largest < kSmallest ? 0 : finite ? largest / most : std::nanf("");
  if (!finite || largest < kSmallest) return;
  const float inverse = most / largest;
  for (int64_t k = 0; k < size; ++k) {
    values[k] = static_cast<int32_t>(std::nearbyint(x[k] * inverse));
    sum += values[k];
  }
}

void quantize_to_bfp16(const float* x, int64_t cols, std::byte* row) {
  const Bfp16Input layout = Bfp16Input::of(cols);
  auto* scales = const_cast<float*>(layout.scales(row));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t begin = g * kBfp16Group, size = std::min(kBfp16Group, cols - begin);
    int32_t values[kBfp16Group] = {}, sum = 0;
    quantize_group(x + begin, size, kBfp16MaxInput, values, scales[g], sum);
    for (int64_t k = 0; k < size; ++k)
      reinterpret_cast<int16_t*>(row)[begin + k] = static_cast<int16_t>(values[k]);
  }
}

}  // namespace

void quantize_input_ref(const QuantizeInput::Args& a, const Exec&) {
  const Format& f = format(a.format);
  const int64_t cols = a.x.cols, stride = input_row_bytes(f, cols);
  for (int64_t t = 0; t < a.x.rows; ++t) {
    std::byte* row = a.out + t * stride;
    std::memset(row, 0, stride);
    const float* x = a.x.row(t);
    if (f.input == InputType::kBf16) {
      round_to_bf16(x, cols, row);
      continue;
    }
    if (f.input == InputType::kBfp16) {
      quantize_to_bfp16(x, cols, row);
      continue;
    }
    const IntInput layout = IntInput::of(f, cols);
    const bool wide = layout.value_bytes == 2;
    auto* scales = const_cast<float*>(layout.scales(row));
    auto* sums = const_cast<int32_t*>(layout.sums(row));
    auto* scaled_sums = const_cast<float*>(layout.scaled_sums(row));
    for (int64_t g = 0; g < layout.num_groups; ++g) {
      const int64_t begin = g * f.group, size = std::min<int64_t>(f.group, cols - begin);
      std::vector<int32_t> values(size);
      quantize_group(x + begin, size, wide ? 127 * 256 : 127, values.data(), scales[g], sums[g]);
      scaled_sums[g] = scales[g] * float(sums[g]);
      for (int64_t i = 0, k = begin; i < size; ++i, ++k)
        if (wide)
          reinterpret_cast<int16_t*>(row)[k] = static_cast<int16_t>(values[i]);
        else
          reinterpret_cast<int8_t*>(row)[k / 4 * 4 + lane_order(k % 4)] =
              static_cast<int8_t>(values[i]);
    }
  }
}

}  // namespace tern
