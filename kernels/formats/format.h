// What every weight format must answer, and the list of formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu_info.h"
#include "base/row_source.h"
#include "base/status.h"

namespace tern {

/// In the order of kFormats in format.cpp. A format says how weights lie in memory and with what
/// they are multiplied: one arithmetic each (docs/engine-contract.md).
enum class FormatId : uint8_t {
  kF32,
  kF16,
  kBf16,     ///< widened, times f32
  kBf16Dot,  ///< pairs of columns, times bf16
  kBfp16,    ///< integers that share an exponent, times the same: bfp16.h
  kInt8G32,  ///< symmetric codes, times int16
  kInt8G128,
  kInt4G32,
  kInt4G128,
  kInt4OffsetG32,
  kInt4OffsetG128,
  kInt8G32A8,  ///< the same codes, times int8
  kInt8G128A8,
  kInt4G32A8,
  kInt4G128A8,
  kInt4OffsetG32A8,
  kInt4OffsetG128A8,
};

/// The type in which a format's kernels read activations.
enum class InputType : uint8_t { kF32, kBf16, kBfp16, kInt8, kInt16 };

struct WeightView;

/// Rows that lie beside each other in a packed panel: one vector lane a row, so that each output
/// has one accumulator chain in the order of K, for every number of tokens
/// (docs/engine-contract.md).
constexpr int64_t kPanelRows = 16;

struct Format {
  FormatId id;
  std::string_view name;  ///< unique: "bf16", "int4_offset_g32_a8"
  std::string_view type;  ///< what an operator calls it: "bf16", "int4"
  InputType input;
  int bits = 0;         ///< of a code; 0 = floats
  int32_t group = 0;    ///< columns that share a scale, of codes
  bool offset = false;  ///< codes have an offset besides their scale

  /// Bytes of a packed [rows, cols] matrix; rows are padded to whole panels.
  size_t (*packed_bytes)(const Format& f, int64_t rows, int64_t cols) = nullptr;

  /// Packs rows [first_row, first_row + num_rows) of `source` into `packed`; first_row is a
  /// multiple of kPanelRows and num_rows too, unless it is the tail. Padding becomes zero. Ranges
  /// may be packed by different threads. Formats of codes take sources with the same bits, group
  /// and offset; the others take all.
  void (*pack_rows)(const Format& f, const RowSource& source, int64_t first_row, int64_t num_rows,
                    std::byte* packed) = nullptr;

  /// Row `row` of `w` as f32, exact: out[0, cols). The reference kernels' only door.
  void (*unpack_row)(const WeightView& w, int64_t row, float* out) = nullptr;
};

const Format& format(FormatId id);

/// All, in the order of FormatId. For tests and benchmarks.
std::span<const Format> formats();

/// Packed matrix, logically [rows, cols]. Immutable after loading. Data aligned to 64 bytes.
struct WeightView {
  const std::byte* data = nullptr;
  FormatId format = FormatId::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

/// The arithmetic of the linear layers that an operator asks for.
enum class Compute : uint8_t {
  kDefault,  ///< block floating point for bf16, f32 activations for f32 and f16, int16 for codes
  kFast,     ///< bf16 activations for bf16 weights where the CPU gains by it, int8 for codes
  kF32,      ///< f32 activations and f32 sums for all, for comparing with references
};

/// "default", "fast" or "f32"; kInvalidArgument naming them.
Result<Compute> parse_compute(std::string_view name);

/// The format in which weights written as `encoding` are kept on a CPU with `isa`.
FormatId packed_format(const WeightEncoding& encoding, Compute compute, Isa isa);

}  // namespace tern
