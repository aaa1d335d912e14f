// Tensors of a GGUF file as rows, and what undoes the changes of llama.cpp's converter.
#pragma once

#include <cstdint>
#include <memory>

#include "base/row_source.h"
#include "base/status.h"
#include "engine/io/gguf.h"

namespace tern {

/// The rows of an f32, f16, bf16, q8_0, q4_0 or q4_1 tensor; the codes' fma(a, c, b) is exactly
/// what ggml's own dequantisation gives. kUnimplemented naming the tensor and its type for others.
Result<std::unique_ptr<RowSource>> make_gguf_rows(const GgufTensor& tensor);

/// Query or key projections [num_heads · head_dim, …], or their bias, whose rows the converter has
/// reordered so that the two halves of each head alternate, as rotary embedding of neighbours needs
/// it: puts the halves one behind the other again. The rows (of a bias: columns) must be a multiple
/// of 2 · num_heads.
std::unique_ptr<RowSource> make_halved_heads(std::unique_ptr<RowSource> source, int64_t num_heads);

/// Every weight of a vector less one: gains that the file holds as 1 + w, where w is wanted. Exact
/// for whatever rounding 1 + w has given (adding 1 gives the file's value back). Only for floats.
std::unique_ptr<RowSource> make_less_one(std::unique_ptr<RowSource> source);

}  // namespace tern
