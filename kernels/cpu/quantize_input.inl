// Activations as bf16 or integers: plain loops, which the compiler brings to the instruction set,
// since every step is exact or one IEEE rounding.

#include "kernels/formats/bfp16.h"
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

struct GroupScale {
  float scale;
  int32_t sum;  // of the integers
};

/// Calls store(k, integer) for every value; their largest magnitude is kMost.
template <int kMost, class Store>
TERN_INLINE GroupScale quantize_group(const float* x, int64_t size, const Store& store) {
  constexpr uint32_t kInfinity = 0x7f800000u;
  uint32_t largest_bits = 0;  // of positive floats, integers have the order
  for (int64_t k = 0; k < size; ++k) {
    const uint32_t magnitude = bits_of(x[k]) & 0x7fffffffu;
    largest_bits = magnitude > largest_bits ? magnitude : largest_bits;
  }
  const float largest = __builtin_bit_cast(float, largest_bits);
  const bool finite = largest_bits < kInfinity, empty = largest < 1e-30f || !finite;
  const float inverse = empty ? 0 : float(kMost) / largest;
  int32_t sum = 0;
  for (int64_t k = 0; k < size; ++k) {
    const float rounded = (empty ? 0 : x[k]) * inverse + kRounder;
    const int32_t value = static_cast<int32_t>(bits_of(rounded) - bits_of(kRounder));
    store(k, value);
    sum += value;
  }
  return {finite ? (empty ? 0 : largest / float(kMost)) : __builtin_bit_cast(float, 0x7fc00000u),
          sum};
}

TERN_INLINE void fill_zero(std::byte* out, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) out[i] = std::byte{0};
}

/// Value: int8_t or int16_t, of the largest magnitude kMost.
template <class Value, int kMost>
void quantize_row(const float* x, int64_t cols, int64_t group, std::byte* out) {
  const IntInput layout = IntInput::of(sizeof(Value), group, cols);
  float* scales = const_cast<float*>(layout.scales(out));
  int32_t* sums = const_cast<int32_t*>(layout.sums(out));
  float* scaled_sums = const_cast<float*>(layout.scaled_sums(out));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    Value* values = reinterpret_cast<Value*>(out) + g * group;
    const auto [scale, sum] = quantize_group<kMost>(
        x + g * group, min64(group, cols - g * group),
        [&](int64_t k, int32_t value) { values[k] = static_cast<Value>(value); });
    scales[g] = scale;
    sums[g] = sum;
    scaled_sums[g] = scale * static_cast<float>(sum);
  }
  fill_zero(out, cols * sizeof(Value), layout.groups_begin());
  fill_zero(out, layout.groups_begin() + 12 * layout.num_groups, layout.row_bytes());
}

/// Bytes with columns 0, 1, 2, 3 in the order of a lane.
void order_bytes(std::byte* bytes, int64_t count) {
  uint32_t* fours = reinterpret_cast<uint32_t*>(bytes);
  for (int64_t i = 0; i < count / 4; ++i)
    fours[i] =
        (fours[i] & 0xff0000ffu) | (fours[i] & 0xff00u) << 8 | (fours[i] >> 8 & 0xff00u);
}

void quantize_row_to_bfp16(const float* x, int64_t cols, std::byte* out) {
  const Bfp16Input layout = Bfp16Input::of(cols);
  float* scales = const_cast<float*>(layout.scales(out));
  for (int64_t g = 0; g < layout.num_groups; ++g) {
    const int64_t begin = g * kBfp16Group;
    int16_t* values = reinterpret_cast<int16_t*>(out) + begin;
    scales[g] = quantize_group<kBfp16MaxInput>(
                    x + begin, min64(kBfp16Group, cols - begin),
                    [&](int64_t k, int32_t value) { values[k] = static_cast<int16_t>(value); })
                    .scale;
  }
  fill_zero(out, cols * 2, layout.scales_begin());
  fill_zero(out, layout.scales_begin() + 4 * layout.num_groups, layout.row_bytes());
}

/// encode(x, out) for every row.
template <class Encode>
void quantize_rows(const QuantizeInput::Args& a, const Exec& ex, const Encode& encode) {
  const int64_t stride = a.row_bytes();
  for_rows(ex, a.x.rows, 2 * a.x.cols, [&](int64_t t) { encode(a.x.row(t), a.out + t * stride); });
}

void quantize_to_bf16(const QuantizeInput::Args& a, const Exec& ex) {
  quantize_rows(a, ex, [&](const float* x, std::byte* out) {
    round_row_to_bf16(x, a.x.cols, a.row_bytes(), out);
  });
}

void quantize_to_bfp16(const QuantizeInput::Args& a, const Exec& ex) {
  quantize_rows(a, ex, [&](const float* x, std::byte* out) {
    quantize_row_to_bfp16(x, a.x.cols, out);
  });
}

void quantize_to_int16(const QuantizeInput::Args& a, const Exec& ex) {
  quantize_rows(a, ex, [&](const float* x, std::byte* out) {
    quantize_row<int16_t, 127 * 256>(x, a.x.cols, a.group, out);
  });
}

void quantize_to_int8(const QuantizeInput::Args& a, const Exec& ex) {
  quantize_rows(a, ex, [&](const float* x, std::byte* out) {
    quantize_row<int8_t, 127>(x, a.x.cols, a.group, out);
    order_bytes(out, IntInput::of(1, a.group, a.x.cols).num_values);
  });
}

}  // namespace
}  // namespace tern
