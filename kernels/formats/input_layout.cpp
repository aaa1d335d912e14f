#include "kernels/formats/input_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/dtype.h"
#include "kernels/formats/bfp16.h"
#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

constexpr float kSmallest = 1e-30f;

void decode_f32(const std::byte* row, int64_t cols, int32_t, double* x) {
  for (int64_t k = 0; k < cols; ++k) x[k] = reinterpret_cast<const float*>(row)[k];
}

int64_t bf16_bytes(int64_t cols, int32_t) {
  return round_up(cols * int64_t(sizeof(Bf16)), int64_t{64});
}

void encode_bf16(const float* x, int64_t cols, int32_t group, std::byte* row) {
  std::memset(row, 0, bf16_bytes(cols, group));
  for (int64_t k = 0; k < cols; ++k) reinterpret_cast<Bf16*>(row)[k] = to_bf16(x[k]);
}

void decode_bf16(const std::byte* row, int64_t cols, int32_t, double* x) {
  for (int64_t k = 0; k < cols; ++k) x[k] = to_float(reinterpret_cast<const Bf16*>(row)[k]);
}

/// x[0, size) in units of max|x| / most, rounded to nearest, ties to even. A group below kSmallest
/// becomes zero; one that is not finite has a scale that is NaN.
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

int64_t bfp16_bytes(int64_t cols, int32_t) {
  return Bfp16Input::of(cols).row_bytes();
}

void encode_bfp16(const float* x, int64_t cols, int32_t, std::byte* row) {
  const Bfp16Input layout = Bfp16Input::of(cols);
  std::memset(row, 0, layout.row_bytes());
  auto* scales = const_cast<float*>(layout.scales(row));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t begin = g * kBfp16Group, size = std::min(kBfp16Group, cols - begin);
    int32_t values[kBfp16Group] = {}, sum = 0;
    quantize_group(x + begin, size, kBfp16MaxInput, values, scales[g], sum);
    for (int64_t k = 0; k < size; ++k)
      reinterpret_cast<int16_t*>(row)[begin + k] = static_cast<int16_t>(values[k]);
  }
}

void decode_bfp16(const std::byte* row, int64_t cols, int32_t, double* x) {
  const float* scales = Bfp16Input::of(cols).scales(row);
  for (int64_t k = 0; k < cols; ++k)
    x[k] = double(reinterpret_cast<const int16_t*>(row)[k]) * scales[k / kBfp16Group];
}

template <int kValueBytes>
int64_t int_bytes(int64_t cols, int32_t group) {
  return IntInput::of(kValueBytes, group, cols).row_bytes();
}

template <int kValueBytes>
void encode_int(const float* x, int64_t cols, int32_t group, std::byte* row) {
  const IntInput layout = IntInput::of(kValueBytes, group, cols);
  std::memset(row, 0, layout.row_bytes());
  auto* scales = const_cast<float*>(layout.scales(row));
  auto* sums = const_cast<int32_t*>(layout.sums(row));
  auto* scaled_sums = const_cast<float*>(layout.scaled_sums(row));
  std::vector<int32_t> values(group);
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t begin = g * group, size = std::min<int64_t>(group, cols - begin);
    std::fill(values.begin(), values.end(), 0);
    quantize_group(x + begin, size, kValueBytes == 2 ? 127 * 256 : 127, values.data(), scales[g],
                   sums[g]);
    scaled_sums[g] = scales[g] * float(sums[g]);
    for (int64_t i = 0, k = begin; i < size; ++i, ++k)
      if (kValueBytes == 2)
        reinterpret_cast<int16_t*>(row)[k] = static_cast<int16_t>(values[i]);
      else
        reinterpret_cast<int8_t*>(row)[k / 4 * 4 + lane_order(k % 4)] =
            static_cast<int8_t>(values[i]);
  }
}

template <int kValueBytes>
void decode_int(const std::byte* row, int64_t cols, int32_t group, double* x) {
  const IntInput layout = IntInput::of(kValueBytes, group, cols);
  for (int64_t k = 0; k < cols; ++k)
    x[k] = double(layout.value(row, k)) * layout.scales(row)[k / group];
}

}  // namespace

constinit const InputLayout kF32Input = {
    .name = "f32",
    .row_bytes = [](int64_t cols, int32_t) { return cols * int64_t(sizeof(float)); },
    .decode_row = decode_f32};
constinit const InputLayout kBf16Input = {
    .name = "bf16", .row_bytes = bf16_bytes, .encode_row = encode_bf16, .decode_row = decode_bf16};
constinit const InputLayout kBfp16Input = {.name = "bfp16",
                                           .row_bytes = bfp16_bytes,
                                           .encode_row = encode_bfp16,
                                           .decode_row = decode_bfp16};
constinit const InputLayout kInt16Input = {.name = "int16",
                                           .per_group = true,
                                           .row_bytes = int_bytes<2>,
                                           .encode_row = encode_int<2>,
                                           .decode_row = decode_int<2>};
constinit const InputLayout kInt8Input = {.name = "int8",
                                          .suffix = "_a8",
                                          .per_group = true,
                                          .row_bytes = int_bytes<1>,
                                          .encode_row = encode_int<1>,
                                          .decode_row = decode_int<1>};

}  // namespace tern
