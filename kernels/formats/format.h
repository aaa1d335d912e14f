// What every weight format must answer, and the list of formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/tensor.h"

namespace tern {

enum class FormatId : uint8_t { kF32, kBf16 };  // the order of kFormats in format.cpp

struct WeightView;

/// Rows that lie beside each other in a packed panel: one vector lane a row, so that each output
/// has one accumulator chain in the order of K, for every number of tokens
/// (docs/engine-contract.md).
constexpr int64_t kPanelRows = 16;

struct Format {
  FormatId id;
  std::string_view name;  ///< as printed and written in YAML: "f32", "bf16"

  /// Bytes of a packed [rows, cols] matrix; rows are padded to whole panels.
  size_t (*packed_bytes)(int64_t rows, int64_t cols);

  /// Packs rows [first_row, first_row + num_rows) of `source` ([rows, cols], f32, bf16 or f16,
  /// dense) into `packed`; first_row is a multiple of kPanelRows and num_rows too, unless it is the
  /// tail. Padding rows become zero. Ranges may be packed by different threads.
  void (*pack_rows)(const TensorView& source, int64_t first_row, int64_t num_rows,
                    std::byte* packed);

  /// Row `row` of `w` as f32, exact: out[0, cols). The reference kernels' only door.
  void (*unpack_row)(const WeightView& w, int64_t row, float* out);
};

const Format& format(FormatId id);

/// Packed matrix, logically [rows, cols]. Immutable after loading. Data aligned to 64 bytes.
struct WeightView {
  const std::byte* data = nullptr;
  FormatId format = FormatId::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
};

}  // namespace tern
