#include "kernels/ops/quantize_input.h"

namespace tern {

void quantize_input_ref(const QuantizeInput::Args& a, const Exec&) {
  for (int64_t t = 0; t < a.x.rows; ++t)
    a.layout->encode_row(a.x.row(t), a.x.cols, a.group, a.out + t * a.row_bytes());
}

}  // namespace tern
