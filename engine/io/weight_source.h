// Where a model's tensors come from: a directory of safetensors, a GGUF file, a recorder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/row_source.h"
#include "base/status.h"

namespace tern {

/// A tensor as its file describes it.
struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape;
  std::string dtype;  ///< "bf16", "q4_1"
  uint64_t bytes = 0;
};

/// Tensors under the names, and with the order of rows, of Hugging Face's checkpoints, whatever the
/// file calls them. Immutable; any thread.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual const std::string& path() const = 0;  ///< directory or file, for messages

  /// The tensor's rows, which view this source. kNotFound naming it and the path; kInvalidArgument
  /// where its shape is not `shape` (naming both) or its type none that holds weights.
  virtual Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                                 const std::vector<int64_t>& shape) const = 0;

  virtual std::vector<TensorInfo> tensors() const = 0;  ///< by name
};

/// Opens a model's weights: a directory of safetensors, or a GGUF file. Errors as those of the
/// file's own reader.
Result<std::shared_ptr<const WeightSource>> open_weights(const std::string& path);

}  // namespace tern
