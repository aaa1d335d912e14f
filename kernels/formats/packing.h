// How weights lie in memory, and the list of the ways that this build knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/row_source.h"
#include "base/status.h"
#include "kernels/formats/input_layout.h"

namespace tern {

/// The arithmetic of the linear layers that an operator asks for.
enum class Compute : uint8_t {
  kDefault,  ///< block floating point for bf16, f32 activations for f32 and f16, int16 for codes
  kFast,     ///< bf16 activations for bf16 weights where the CPU gains by it, int8 for codes
  kF32,      ///< f32 activations and f32 sums for all, for comparing with references
};

/// "default", "fast" or "f32"; kInvalidArgument naming them.
Result<Compute> parse_compute(std::string_view name);

/// Several of Compute.
using ComputeSet = uint8_t;
constexpr ComputeSet only(Compute c) {
  return ComputeSet(1u << int(c));
}
constexpr ComputeSet kEveryCompute = 7;

/// Rows that lie beside each other in a packed panel of the CPU: one vector lane a row, so that
/// each output has one accumulator chain in the order of K, for every number of tokens
/// (docs/engine-contract.md).
constexpr int64_t kPanelRows = 16;

struct Packing;

/// Weights of one encoding in one packing.
struct Format {
  const Packing* packing = nullptr;
  Encoding encoding;

  bool operator==(const Format&) const = default;

  /// Unique: "bf16", "int4_offset_g32_a8".
  std::string name() const;
  /// Bytes of a packed [rows, cols] matrix.
  size_t packed_bytes(int64_t rows, int64_t cols) const;
  /// Bytes between rows of activations [rows, cols] as kernels read them.
  int64_t input_row_bytes(int64_t cols) const;
};

/// Packed matrix, logically [rows, cols]. Immutable after loading. Data aligned to 64 bytes, on its
/// kernels' device.
struct WeightView {
  const std::byte* data = nullptr;
  Format format;
  int64_t rows = 0;
  int64_t cols = 0;
  const int32_t* input_order = nullptr;  ///< [cols], only where format.encoding.input is kGather
};

/// How a device keeps weights of some encodings, and with what it multiplies them: one arithmetic
/// each (docs/engine-contract.md). Which packing serves a matrix is decided by the kernels that
/// there are (choose_format).
struct Packing {
  std::string_view name;  ///< "bf16", "int4_offset"; unique together with input->suffix
  std::string_view type;  ///< what an operator calls it: "bf16", "int4"
  const InputLayout* input = &kF32Input;
  ComputeSet computes = kEveryCompute;  ///< what an operator must have asked for

  /// Whether rows so written can be packed without a loss beyond the format's own.
  bool (*takes)(const Encoding& e) = nullptr;

  /// Bytes of a packed [rows, cols] matrix; rows are padded to whole panels.
  size_t (*packed_bytes)(const Encoding& e, int64_t rows, int64_t cols) = nullptr;

  /// Packs rows [first_row, first_row + num_rows) of `source` into `packed`; first_row is a
  /// multiple of `panel_rows` and num_rows too, unless it is the tail. Padding becomes zero. Ranges
  /// may be packed by different threads.
  void (*pack_rows)(const Encoding& e, const RowSource& source, int64_t first_row, int64_t num_rows,
                    std::byte* packed) = nullptr;
  int64_t panel_rows = kPanelRows;

  /// Row `row` of `w` as f32, exact: out[0, cols). The reference kernels' only door.
  void (*unpack_row)(const WeightView& w, int64_t row, float* out) = nullptr;

  /// What tests and benchmarks pack: at least one encoding that it takes.
  std::span<const Encoding> examples;
};

extern const Packing kF32Packing, kF16Packing, kBf16Packing;  ///< dense.cpp: widened, times f32
extern const Packing kBf16DotPacking;  ///< dense.cpp: pairs of columns, times bf16
extern const Packing kBfp16Packing;    ///< bfp16.h
extern const Packing kInt8Packing, kInt4Packing, kInt4OffsetPacking;  ///< codes.cpp: times int16
extern const Packing kInt8A8Packing, kInt4A8Packing,
    kInt4OffsetA8Packing;  ///< codes.cpp: times int8

/// Rows that stay where their source has them: `data` is the RowSource. The host alone reads them;
/// they are looked up (Embed), never multiplied.
extern const Packing kSourceRowsPacking;

/// Those that kernels multiply.
std::span<const Packing* const> packings();

/// Every example of every packing. For tests and benchmarks.
std::vector<Format> example_formats();

/// The view of `rows` where they are, which must outlive it.
WeightView source_rows(const RowSource& rows);

}  // namespace tern
