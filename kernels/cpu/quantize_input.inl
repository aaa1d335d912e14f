// Activations as bf16 or int8: plain loops, which the compiler brings to the instruction set, since
// every step is exact or one IEEE rounding.

#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

TERN_INLINE uint32_t bits_of(float x) {
  return __builtin_bit_cast(uint32_t, x);
}

void round_row_to_bf16(const float* x, int64_t cols, int64_t stride, std::byte* out) {
  uint16_t* values = reinterpret_cast<uint16_t*>(out);
  for (int64_t k = 0; k < cols; ++k) values[k] = to_bf16(x[k]).bits;
  for (int64_t k = cols; k < stride / 2; ++k) values[k] = 0;
}

/// Adding 1.5 · 2^23 rounds to nearest, ties to even, and leaves the integer in the low bits.
constexpr float kRounder = 12582912.0f;

TERN_INLINE void quantize_group(const float* x, int64_t size, int8_t* codes, float& scale,
                                int32_t& sum, float& scaled_sum) {
  constexpr uint32_t kInfinity = 0x7f800000u;
  uint32_t largest_bits = 0;  // of positive floats, integers have the order
  for (int64_t k = 0; k < size; ++k) {
    const uint32_t magnitude = bits_of(x[k]) & 0x7fffffffu;
    largest_bits = magnitude > largest_bits ? magnitude : largest_bits;
  }
  const float largest = __builtin_bit_cast(float, largest_bits);
  const bool finite = largest_bits < kInfinity, empty = largest < 1e-30f || !finite;
  const float inverse = empty ? 0 : 127.0f / largest;
  sum = 0;
  for (int64_t k = 0; k < size; ++k) {
    const float rounded = (empty ? 0 : x[k]) * inverse + kRounder;
    const int32_t code = static_cast<int32_t>(bits_of(rounded) - bits_of(kRounder));
    codes[k] = static_cast<int8_t>(code);
    sum += code;
  }
  scale = finite ? (empty ? 0 : largest / 127.0f) : __builtin_bit_cast(float, 0x7fc00000u);
  scaled_sum = scale * static_cast<float>(sum);
}

void quantize_row(const float* x, int64_t cols, int64_t group, std::byte* out) {
  const Int8Input layout = Int8Input::of(group, cols);
  int8_t* codes = reinterpret_cast<int8_t*>(out);
  float* scales = const_cast<float*>(layout.scales(out));
  int32_t* sums = const_cast<int32_t*>(layout.sums(out));
  float* scaled_sums = const_cast<float*>(layout.scaled_sums(out));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t k = g * group;
    quantize_group(x + k, min64(group, cols - k), codes + k, scales[g], sums[g], scaled_sums[g]);
  }
  for (int64_t k = cols; k < layout.codes_bytes; ++k) codes[k] = 0;
  for (int64_t i = layout.codes_bytes + 12 * layout.num_groups; i < layout.row_bytes(); ++i)
    codes[i] = 0;
}

void quantize_input(const QuantizeInput::Args& a, const Exec& ex) {
  const int64_t group = format(a.format).group, cols = a.x.cols;
  const int64_t stride = input_row_bytes(format(a.format), cols);
  for_rows(ex, a.x.rows, 2 * cols, [&](int64_t t) {
    std::byte* out = a.out + t * stride;
    group == 0 ? round_row_to_bf16(a.x.row(t), cols, stride, out)
               : quantize_row(a.x.row(t), cols, group, out);
  });
}

}  // namespace
}  // namespace tern
