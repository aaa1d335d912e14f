#include "kernels/formats/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/math.h"
#include "kernels/formats/code_panels.h"

namespace tern {
namespace {

// --- dense panels: for every 16 rows, for every kStep columns, the weights of a row side by side
// ---

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
size_t dense_bytes(const Format&, int64_t rows, int64_t cols) {
  return size_t(round_up(rows, kPanelRows)) * size_t(round_up(cols, kStep)) * sizeof(T);
}

template <class T, int kStep>
void pack_dense(const Format&, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  const int64_t cols = source.cols(), panel_size = kPanelRows * round_up(cols, kStep);
  std::vector<float> row(cols);
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  T* panel = reinterpret_cast<T*>(packed) + first_row / kPanelRows * panel_size;
  for (int64_t r = first_row; r < first_row + num_rows; r += kPanelRows, panel += panel_size) {
    const int64_t lanes = std::min(kPanelRows, first_row + num_rows - r);
    if (lanes < kPanelRows || cols % kStep != 0)
      std::memset(static_cast<void*>(panel), 0, panel_size * sizeof(T));
    for (int64_t lane = 0; lane < lanes; ++lane) {
      source.read(r + lane, row.data());
      for (int64_t k = 0; k < cols; ++k) store(row[k], &panel[dense_index<kStep>(lane, k)]);
    }
  }
}

template <class T, int kStep>
void unpack_dense(const WeightView& w, int64_t row, float* out) {
  const T* panel =
      reinterpret_cast<const T*>(w.data) + row / kPanelRows * kPanelRows * round_up(w.cols, kStep);
  for (int64_t k = 0; k < w.cols; ++k)
    out[k] = load(panel[dense_index<kStep>(row % kPanelRows, k)]);
}

// --- panels of codes: code_panels.h ---

/// The byte of (lane, k) in a panel's codes, and the shift of its code there.
struct CodePlace {
  int64_t byte;
  int shift;
};
CodePlace code_place(const CodePanels& p, int64_t lane, int64_t k) {
  const int64_t in_block = k % p.block_cols;
  return {k / p.block_cols * CodePanels::kBlockBytes + lane * 4 + in_block % 4,
          in_block < 4 ? 0 : 4};
}

size_t code_bytes(const Format& f, int64_t rows, int64_t cols) {
  return size_t(ceil_div(rows, kPanelRows) * CodePanels::of(f, cols).panel_bytes);
}

void pack_codes(const Format& f, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  const CodePanels p = CodePanels::of(f, source.cols());
  std::vector<uint8_t> codes(source.cols());
  std::vector<float> a(p.num_groups), b(p.num_groups);
  for (int64_t r = first_row; r < first_row + num_rows; ++r) {
    const int64_t lane = r % kPanelRows;
    std::byte* panel = packed + r / kPanelRows * p.panel_bytes;
    if (lane == 0) std::memset(panel, 0, p.panel_bytes);
    source.read_codes(r, codes.data(), a.data(), b.data());
    for (int64_t k = 0; k < source.cols(); ++k) {
      const CodePlace at = code_place(p, lane, k);
      panel[at.byte] |= std::byte(codes[k] << at.shift);
    }
    for (int64_t g = 0; g < p.num_groups; ++g) {
      F16* scales = reinterpret_cast<F16*>(panel + p.scales_begin() + g * p.group_bytes);
      scales[lane] = to_f16(a[g]);
      if (f.offset) scales[kPanelRows + lane] = to_f16(b[g]);
    }
  }
}

void unpack_codes(const WeightView& w, int64_t row, float* out) {
  const Format& f = format(w.format);
  const CodePanels p = CodePanels::of(f, w.cols);
  const int64_t lane = row % kPanelRows;
  const std::byte* panel = w.data + row / kPanelRows * p.panel_bytes;
  for (int64_t k = 0; k < w.cols; ++k) {
    const CodePlace at = code_place(p, lane, k);
    const int code = int(panel[at.byte]) >> at.shift & ((1 << f.bits) - 1);
    const F16* scales =
        reinterpret_cast<const F16*>(panel + p.scales_begin() + k / f.group * p.group_bytes);
    const float a = to_float(scales[lane]);
    const float b = f.offset ? to_float(scales[kPanelRows + lane]) : -a * float(1 << (f.bits - 1));
    out[k] = std::fma(a, float(code), b);
  }
}

template <class T, int kStep = 1>
constexpr Format dense(FormatId id, std::string_view name, std::string_view type, InputType input) {
  return {.id = id,
          .name = name,
          .type = type,
          .input = input,
          .packed_bytes = dense_bytes<T, kStep>,
          .pack_rows = pack_dense<T, kStep>,
          .unpack_row = unpack_dense<T, kStep>};
}

constexpr Format codes(FormatId id, std::string_view name, InputType input, int bits, int32_t group,
                       bool offset) {
  return {.id = id,
          .name = name,
          .type = bits == 8 ? "int8" : "int4",
          .input = input,
          .bits = bits,
          .group = group,
          .offset = offset,
          .packed_bytes = code_bytes,
          .pack_rows = pack_codes,
          .unpack_row = unpack_codes};
}

constexpr std::array kFormats{
    dense<float>(FormatId::kF32, "f32", "f32", InputType::kF32),
    dense<F16>(FormatId::kF16, "f16", "f16", InputType::kF32),
    dense<Bf16>(FormatId::kBf16, "bf16", "bf16", InputType::kF32),
    dense<Bf16, 2>(FormatId::kBf16Dot, "bf16_dot", "bf16", InputType::kBf16),
    codes(FormatId::kInt8G32, "int8_g32", InputType::kInt16, 8, 32, false),
    codes(FormatId::kInt8G128, "int8_g128", InputType::kInt16, 8, 128, false),
    codes(FormatId::kInt4G32, "int4_g32", InputType::kInt16, 4, 32, false),
    codes(FormatId::kInt4G128, "int4_g128", InputType::kInt16, 4, 128, false),
    codes(FormatId::kInt4OffsetG32, "int4_offset_g32", InputType::kInt16, 4, 32, true),
    codes(FormatId::kInt4OffsetG128, "int4_offset_g128", InputType::kInt16, 4, 128, true),
    codes(FormatId::kInt8G32A8, "int8_g32_a8", InputType::kInt8, 8, 32, false),
    codes(FormatId::kInt8G128A8, "int8_g128_a8", InputType::kInt8, 8, 128, false),
    codes(FormatId::kInt4G32A8, "int4_g32_a8", InputType::kInt8, 4, 32, false),
    codes(FormatId::kInt4G128A8, "int4_g128_a8", InputType::kInt8, 4, 128, false),
    codes(FormatId::kInt4OffsetG32A8, "int4_offset_g32_a8", InputType::kInt8, 4, 32, true),
    codes(FormatId::kInt4OffsetG128A8, "int4_offset_g128_a8", InputType::kInt8, 4, 128, true),
};

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

const Format& format(FormatId id) {
  return kFormats[static_cast<size_t>(id)];
}

Result<Compute> parse_compute(std::string_view name) {
  if (name == "default") return Compute::kDefault;
  if (name == "fast") return Compute::kFast;
  if (name == "f32") return Compute::kF32;
  return invalid_argument("compute: must be default, fast or f32, is '" + std::string(name) + "'");
}

FormatId packed_format(const WeightEncoding& encoding, Compute compute, Isa isa) {
  if (!encoding.is_codes()) {
    if (encoding.dtype == DType::kF32) return FormatId::kF32;
    if (encoding.dtype == DType::kF16) return FormatId::kF16;
    const bool dot = compute == Compute::kFast && isa == Isa::kAvx512Bf16;
    return dot ? FormatId::kBf16Dot : FormatId::kBf16;
  }
  const InputType input = compute == Compute::kFast ? InputType::kInt8 : InputType::kInt16;
  if (compute != Compute::kF32)
    for (const Format& f : kFormats)
      if (f.input == input && f.bits == encoding.bits && f.group == encoding.group &&
          f.offset == !encoding.symmetric)
        return f.id;
  return FormatId::kF32;  // decoded once, at loading
}

int64_t input_row_bytes(const Format& f, int64_t cols) {
  return f.bits > 0 ? IntInput::of(f, cols).row_bytes()
                    : round_up(cols * int64_t(sizeof(Bf16)), int64_t{64});
}

}  // namespace tern
