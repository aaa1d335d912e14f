// y[t] = scale · table[token_ids[t]]: the embedding look-up.
#pragma once

#include "base/row_source.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Embed {
  static constexpr std::string_view kName = "embed";

  struct Args {
    const int32_t* token_ids = nullptr;  ///< [tokens], each in [0, vocabulary)
    const RowSource* table = nullptr;    ///< [vocabulary, hidden], in place in its file
    float scale = 1;
    MatView<float> y;  ///< [tokens, hidden]; tokens may be 0
  };

  /// Exact: one rounding of the product.
  static constexpr double kTolerance = 0;
};

void embed_ref(const Embed::Args& a, const Exec&);

}  // namespace tern
