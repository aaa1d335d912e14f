// Activations as bf16 or integers: plain loops, which the compiler brings to the instruction set,
// since every step is exact or one IEEE rounding.

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

/// kPlanes as in IntInput: the bytes of value k go to bytes[k] and, of two, to low[k].
template <int kPlanes>
TERN_INLINE void quantize_group(const float* x, int64_t size, int8_t* bytes, int8_t* low,
                                float& scale, int32_t& sum, float& scaled_sum) {
  constexpr float kMost = kPlanes == 2 ? 127.0f * 256 : 127.0f;
  constexpr uint32_t kInfinity = 0x7f800000u;
  uint32_t largest_bits = 0;  // of positive floats, integers have the order
  for (int64_t k = 0; k < size; ++k) {
    const uint32_t magnitude = bits_of(x[k]) & 0x7fffffffu;
    largest_bits = magnitude > largest_bits ? magnitude : largest_bits;
  }
  const float largest = __builtin_bit_cast(float, largest_bits);
  const bool finite = largest_bits < kInfinity, empty = largest < 1e-30f || !finite;
  const float inverse = empty ? 0 : kMost / largest;
  sum = 0;
  for (int64_t k = 0; k < size; ++k) {
    const float rounded = (empty ? 0 : x[k]) * inverse + kRounder;
    const int32_t value = static_cast<int32_t>(bits_of(rounded) - bits_of(kRounder));
    if constexpr (kPlanes == 2) {
      const int32_t high = (value + 128) >> 8;
      bytes[k] = static_cast<int8_t>(high);
      low[k] = static_cast<int8_t>(value - (high << 8));
    } else {
      bytes[k] = static_cast<int8_t>(value);
    }
    sum += value;
  }
  scale = finite ? (empty ? 0 : largest / kMost) : __builtin_bit_cast(float, 0x7fc00000u);
  scaled_sum = scale * static_cast<float>(sum);
}

template <int kPlanes>
void quantize_row(const float* x, int64_t cols, int64_t group, std::byte* out) {
  const IntInput layout = IntInput::of(kPlanes, group, cols);
  int8_t* bytes = reinterpret_cast<int8_t*>(out);
  float* scales = const_cast<float*>(layout.scales(out));
  int32_t* sums = const_cast<int32_t*>(layout.sums(out));
  float* scaled_sums = const_cast<float*>(layout.scaled_sums(out));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t k = g * group;
    quantize_group<kPlanes>(x + k, min64(group, cols - k), bytes + k,
                            bytes + layout.plane_bytes + k, scales[g], sums[g], scaled_sums[g]);
  }
  for (int64_t plane = 0; plane < kPlanes; ++plane)
    for (int64_t k = cols; k < layout.plane_bytes; ++k) bytes[plane * layout.plane_bytes + k] = 0;
  for (int64_t i = layout.groups_begin() + 12 * layout.num_groups; i < layout.row_bytes(); ++i)
    bytes[i] = 0;
}

void quantize_input(const QuantizeInput::Args& a, const Exec& ex) {
  const Format& f = format(a.format);
  const int64_t cols = a.x.cols, stride = input_row_bytes(f, cols);
  for_rows(ex, a.x.rows, 2 * cols, [&](int64_t t) {
    std::byte* out = a.out + t * stride;
    if (f.input == InputType::kBf16) return round_row_to_bf16(a.x.row(t), cols, stride, out);
    if (f.input == InputType::kInt8) return quantize_row<1>(a.x.row(t), cols, f.group, out);
    quantize_row<2>(a.x.row(t), cols, f.group, out);
  });
}

}  // namespace
}  // namespace tern
