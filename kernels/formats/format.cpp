#include "kernels/formats/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "base/math.h"
#include "kernels/formats/bfp16.h"
#include "kernels/formats/code_panels.h"
#include "kernels/formats/transpose.h"

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
void pack_dense(const Format&, const RowSource& source, int64_t first_row, int64_t num_rows,
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

// --- panels of codes: code_panels.h ---

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

size_t code_bytes(const Format& f, int64_t rows, int64_t cols) {
  return size_t(ceil_div(rows, kPanelRows) * CodePanels::of(f, cols).panel_bytes);
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

void pack_codes(const Format& f, const RowSource& source, int64_t first_row, int64_t num_rows,
                std::byte* packed) {
  TERN_CHECK(first_row % kPanelRows == 0, "packing starts at a panel");
  const CodePanels p = CodePanels::of(f, source.cols());
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
        if (f.offset) scales[kPanelRows + lane] = to_f16(b[g]);
      }
    }
    transpose_to_panel(rows, lanes, p.num_blocks, reinterpret_cast<uint32_t*>(panel));
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
    Format{.id = FormatId::kBfp16,
           .name = "bfp16",
           .type = "bf16",
           .input = InputType::kBfp16,
           .packed_bytes = bfp16_bytes,
           .pack_rows = pack_bfp16,
           .unpack_row = unpack_bfp16},
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
    if (compute == Compute::kF32) return FormatId::kBf16;
    return dot ? FormatId::kBf16Dot : FormatId::kBfp16;
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
  if (f.input == InputType::kBfp16) return Bfp16Input::of(cols).row_bytes();
  return f.bits > 0 ? IntInput::of(f, cols).row_bytes()
                    : round_up(cols * int64_t(sizeof(Bf16)), int64_t{64});
}

}  // namespace tern
