// y[t] = scale · table[token_ids[t]]: the embedding look-up.
#pragma once

#include "base/tensor.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

struct Embed {
  static constexpr std::string_view kName = "embed";

  struct Args {
    const int32_t* token_ids = nullptr;  ///< [tokens], each in [0, vocabulary)
    WeightView table;                    ///< [vocabulary, hidden]
    float scale = 1;
    MatView<float> y;  ///< [tokens, hidden]; tokens may be 0
  };
  using Layout = Packing;
  static const Packing* layout(const Args& a) { return a.table.format.packing; }

  static void arrays(Args& a, ArrayVisitor& v) {
    v.array(a.token_ids, a.y.rows);
    v.weights(a.table);
    v.rows(a.y, Access::kWrite);
  }

  /// Exact: one rounding of the product.
  static constexpr double kTolerance = 0;
};

void embed_ref(const Embed::Args& a, const Exec&);

}  // namespace tern
