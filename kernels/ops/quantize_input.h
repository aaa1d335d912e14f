// Activations, brought into the layout in which a packing's kernels read them.
#pragma once

#include "base/tensor.h"
#include "kernels/formats/packing.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// bf16: rounded to nearest, ties to even. Integers, for every row and group of columns: scale =
/// max|x| / m, value = x · (m / max|x|) rounded to nearest, ties to even, m = 127 (int8) or 127 ·
/// 256 (int16); a group below 1e-30 becomes zero. A group that holds a NaN or an infinity has a
/// scale that is one. Layout: formats/code_panels.h.
struct QuantizeInput {
  static constexpr std::string_view kName = "quantize_input";

  struct Args {
    MatView<const float> x;               ///< [tokens, in]; tokens may be 0
    const InputLayout* layout = nullptr;  ///< not plain
    int32_t group = 0;                    ///< of the weights, where layout->per_group
    std::byte* out = nullptr;             ///< [tokens, row_bytes()], aligned to 64

    int64_t row_bytes() const { return layout->row_bytes(x.cols, group); }
  };
  using Layout = InputLayout;
  static const InputLayout* layout(const Args& a) { return a.layout; }

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.array(a.out, a.x.rows * a.row_bytes(), Access::kWrite);
  }

  /// Exact: every instruction set gives the same bytes.
  static constexpr double kTolerance = 0;
};

void quantize_input_ref(const QuantizeInput::Args& a, const Exec&);

}  // namespace tern
