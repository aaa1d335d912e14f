// Activations, brought into the type that a weight format is multiplied with.
#pragma once

#include "base/tensor.h"
#include "kernels/formats/format.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// bf16: rounded to nearest, ties to even. Integers, for every row and group of columns: scale =
/// max|x| / m, value = x · (m / max|x|) rounded to nearest, ties to even, m = 127 (int8) or 127 ·
/// 256 (int16); a group below 1e-30 becomes zero. A group that holds a NaN or an infinity has a
/// scale that is one. Layout: formats/code_panels.h.
struct QuantizeInput {
  static constexpr std::string_view kName = "quantize_input";

  struct Args {
    MatView<const float> x;                ///< [tokens, in]; tokens may be 0
    FormatId format = FormatId::kBf16Dot;  ///< of the weights; its input is not f32
    std::byte* out = nullptr;              ///< [tokens, input_row_bytes(format, in)], aligned to 64
  };

  /// Exact: every instruction set gives the same bytes.
  static constexpr double kTolerance = 0;
};

void quantize_input_ref(const QuantizeInput::Args& a, const Exec&);

}  // namespace tern
