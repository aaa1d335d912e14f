#include "kernels/formats/bfp16.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/check.h"
#include "kernels/formats/transpose.h"

namespace tern {
namespace {

/// 2^(biased - 127); of 0 zero, of 255 infinity.
float power_of_two(uint32_t biased) {
  return std::bit_cast<float>(biased << 23);
}

/// One group of a row; returns its exponent byte.
uint8_t pack_group(const float (&w)[kBfp16Group], int16_t* out) {
  constexpr uint32_t kInfinity = 255;
  uint32_t largest = 0;  // of positive floats, integers have the order
  for (const float v : w) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(v) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  const uint32_t exponent = largest >> 23;
  if (exponent == kInfinity || largest == 0) {
    std::fill_n(out, kBfp16Group, int16_t{0});
    return exponent == kInfinity ? kInfinity : 0;
  }
  const uint32_t biased = exponent >= kBfp16WeightBits ? exponent - (kBfp16WeightBits - 1) : 1;
  const float inverse = power_of_two(254 - biased);
  constexpr float kRounder = 12582912.0f;  // 1.5 · 2^23: rounds to nearest, ties to even
  for (int64_t k = 0; k < kBfp16Group; ++k)
    out[k] = static_cast<int16_t>(std::bit_cast<int32_t>(w[k] * inverse + kRounder) -
                                  std::bit_cast<int32_t>(kRounder));
  return static_cast<uint8_t>(biased);
}

size_t bfp16_bytes(const Encoding&, int64_t rows, int64_t cols) {
  return size_t(ceil_div(rows, kPanelRows) * Bfp16Panels::of(cols).panel_bytes);
}

void pack_bfp16(const Encoding&, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  const Bfp16Panels p = Bfp16Panels::of(source.cols());
  const int64_t padded = p.num_groups * kBfp16Group;
  std::vector<float> values(padded);
  std::vector<int16_t> integers(kPanelRows * padded);
  const std::byte* rows[kPanelRows];
  for (int64_t lane = 0; lane < kPanelRows; ++lane)
    rows[lane] = reinterpret_cast<const std::byte*>(&integers[lane * padded]);
  for (int64_t r = first_row; r < first_row + num_rows; r += kPanelRows) {
    const int64_t lanes = std::min(kPanelRows, first_row + num_rows - r);
    std::byte* panel = packed + r / kPanelRows * p.panel_bytes;
    auto* exponents = reinterpret_cast<uint8_t*>(panel + p.exponents_begin());
    std::fill_n(exponents, p.panel_bytes - p.exponents_begin(), uint8_t{0});
    for (int64_t lane = 0; lane < lanes; ++lane) {
      source.read(r + lane, values.data());
      for (int64_t g = 0; g < p.num_groups; ++g)
        exponents[g * kPanelRows + lane] =
            pack_group(*reinterpret_cast<const float(*)[kBfp16Group]>(&values[g * kBfp16Group]),
                       &integers[lane * padded + g * kBfp16Group]);
    }
    transpose_to_panel(rows, lanes, padded / 2, reinterpret_cast<uint32_t*>(panel));
  }
}

void unpack_bfp16(const WeightView& w, int64_t row, float* out) {
  const Bfp16Panels p = Bfp16Panels::of(w.cols);
  const std::byte* panel = w.data + row / kPanelRows * p.panel_bytes;
  const auto* integers = reinterpret_cast<const int16_t*>(panel);
  const auto* exponents = reinterpret_cast<const uint8_t*>(panel + p.exponents_begin());
  const int64_t lane = row % kPanelRows;
  for (int64_t k = 0; k < w.cols; ++k)
    out[k] = float(integers[(k / 2 * kPanelRows + lane) * 2 + k % 2]) *
             power_of_two(exponents[k / kBfp16Group * kPanelRows + lane]);
}

constexpr Encoding kExample = Encoding::floats(DType::kBf16);

}  // namespace

constinit const Packing kBfp16Packing = {.name = "bfp16",
                                         .type = "bf16",
                                         .input = &kBfp16Input,
                                         .computes = only(Compute::kDefault) | only(Compute::kFast),
                                         .takes = [](const Encoding& e) { return e == kExample; },
                                         .packed_bytes = bfp16_bytes,
                                         .pack_rows = pack_bfp16,
                                         .unpack_row = unpack_bfp16,
                                         .examples = {&kExample, 1}};

}  // namespace tern
