// Panels of codes: how they lie is told in code_panels.h.
#include "kernels/formats/code_panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "kernels/formats/transpose.h"

namespace tern {
namespace {

/// The byte of (lane, k) in a panel's codes, and the shift of its code there.
struct CodePlace {
  int64_t byte;
  int shift;
};
CodePlace code_place(const CodePanels& p, int64_t lane, int64_t k) {
  const int64_t in_block = k % p.block_cols;
  return {k / p.block_cols * CodePanels::kBlockBytes + lane * 4 + lane_order(in_block % 4),
          in_block < 4 ? 0 : 4};
}

size_t code_bytes(const Encoding& e, int64_t rows, int64_t cols) {
  return size_t(ceil_div(rows, kPanelRows) * CodePanels::of(e, cols).panel_bytes);
}

/// Four bytes with columns 0, 1, 2, 3 in the order of a lane.
uint32_t in_lane_order(uint32_t four) {
  return (four & 0xff0000ffu) | (four & 0xff00u) << 8 | (four >> 8 & 0xff00u);
}

/// A row's codes as a panel keeps them: of every block 4 bytes. `codes` has zeros up to whole
/// blocks.
void fold_codes(const CodePanels& p, const uint8_t* codes, uint8_t* units) {
  for (int64_t block = 0; block < p.num_blocks; ++block) {
    uint32_t unit, high;
    std::memcpy(&unit, codes + p.block_cols * block, 4);
    if (p.block_cols == 8) {  // no code is over 15: no bit crosses a byte
      std::memcpy(&high, codes + 8 * block + 4, 4);
      unit |= high << 4;
    }
    unit = in_lane_order(unit);
    std::memcpy(units + 4 * block, &unit, 4);
  }
}

void pack_codes(const Encoding& e, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  const CodePanels p = CodePanels::of(e, source.cols());
  std::vector<uint8_t> codes(p.num_blocks * p.block_cols), units(kPanelRows * p.num_blocks * 4);
  std::vector<float> a(p.num_groups), b(p.num_groups);
  const std::byte* rows[kPanelRows];
  for (int64_t lane = 0; lane < kPanelRows; ++lane)
    rows[lane] = reinterpret_cast<const std::byte*>(&units[lane * p.num_blocks * 4]);
  for (int64_t r = first_row; r < first_row + num_rows; r += kPanelRows) {
    const int64_t lanes = std::min(kPanelRows, first_row + num_rows - r);
    std::byte* panel = packed + r / kPanelRows * p.panel_bytes;
    std::memset(panel + p.scales_begin(), 0, p.panel_bytes - p.scales_begin());
    for (int64_t lane = 0; lane < lanes; ++lane) {
      source.read_codes(r + lane, codes.data(), a.data(), b.data());
      fold_codes(p, codes.data(), &units[lane * p.num_blocks * 4]);
      for (int64_t g = 0; g < p.num_groups; ++g) {
        F16* scales = reinterpret_cast<F16*>(panel + p.scales_begin() + g * p.group_bytes);
        scales[lane] = to_f16(a[g]);
        if (e.offset) scales[kPanelRows + lane] = to_f16(b[g]);
      }
    }
    transpose_to_panel(rows, lanes, p.num_blocks, reinterpret_cast<uint32_t*>(panel));
  }
}

void unpack_codes(const WeightView& w, int64_t row, float* out) {
  const Encoding& e = w.format.encoding;
  const CodePanels p = CodePanels::of(e, w.cols);
  const int64_t lane = row % kPanelRows;
  const std::byte* panel = w.data + row / kPanelRows * p.panel_bytes;
  for (int64_t k = 0; k < w.cols; ++k) {
    const CodePlace at = code_place(p, lane, k);
    const int code = int(panel[at.byte]) >> at.shift & ((1 << e.bits) - 1);
    const F16* scales =
        reinterpret_cast<const F16*>(panel + p.scales_begin() + k / e.group * p.group_bytes);
    const float a = to_float(scales[lane]);
    const float b = e.offset ? to_float(scales[kPanelRows + lane]) : -a * float(1 << (e.bits - 1));
    out[k] = std::fma(a, float(code), b);
  }
}

/// The groups that kernels have been proven with, of each kind of code.
template <int kBits, bool kOffset>
constexpr Encoding kExamples[] = {Encoding::affine(kBits, 32, kOffset),
                                  Encoding::affine(kBits, 128, kOffset)};

template <int kBits, bool kOffset>
bool takes_codes(const Encoding& e) {
  return e == kExamples<kBits, kOffset>[0] || e == kExamples<kBits, kOffset>[1];
}

template <int kBits, bool kOffset>
constexpr Packing codes(std::string_view name, const InputLayout& input, Compute compute) {
  return {.name = name,
          .type = kBits == 8 ? "int8" : "int4",
          .input = &input,
          .computes = only(compute),
          .takes = takes_codes<kBits, kOffset>,
          .packed_bytes = code_bytes,
          .pack_rows = pack_codes,
          .unpack_row = unpack_codes,
          .examples = kExamples<kBits, kOffset>};
}

}  // namespace

constinit const Packing kInt8Packing = codes<8, false>("int8", kInt16Input, Compute::kDefault);
constinit const Packing kInt4Packing = codes<4, false>("int4", kInt16Input, Compute::kDefault);
constinit const Packing kInt4OffsetPacking =
    codes<4, true>("int4_offset", kInt16Input, Compute::kDefault);
constinit const Packing kInt8A8Packing = codes<8, false>("int8", kInt8Input, Compute::kFast);
constinit const Packing kInt4A8Packing = codes<4, false>("int4", kInt8Input, Compute::kFast);
constinit const Packing kInt4OffsetA8Packing =
    codes<4, true>("int4_offset", kInt8Input, Compute::kFast);

}  // namespace tern
