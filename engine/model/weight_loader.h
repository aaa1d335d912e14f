// Brings a checkpoint's tensors into the form that kernels read.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/device.h"
#include "engine/io/weight_source.h"
#include "engine/model/linear.h"

namespace tern {

/// Called, often, with the bytes of tensors that are packed and those that will be.
using LoadedBytes = std::function<void(uint64_t done, uint64_t total)>;

struct LoadOptions {
  int32_t max_model_len = 0;            ///< positions to serve: sizes the RoPE table
  Compute compute = Compute::kDefault;  ///< arithmetic of the linear layers
  Exec ex;                              ///< whose pool packs weights, and for whose instruction set
  LoadedBytes on_progress;              ///< may be empty; loading thread
  /// Matrices get their shape and format but no memory: the model tells its sizes and cannot run.
  bool plan_only = false;
};

/// A linear layer in the checkpoint.
struct LinearName {
  std::string name;
  int64_t out = 0;
};

/// Loading thread only. Every getter marks its tensor as used, so that finish() can name those that
/// the architecture does not know.
class WeightLoader {
 public:
  /// The source and the options must outlive the loader.
  WeightLoader(const WeightSource& source, const LoadOptions& options);

  /// `name`.weight [out, in] packed as packed_format() says, and `name`.bias [out] where
  /// `has_bias`. kNotFound, kInvalidArgument (shape, type) naming tensor and file.
  Result<Linear> linear(const std::string& name, int64_t out, int64_t in, bool has_bias);

  /// As linear(), for layers with one input, in the order of their outputs: packed as one matrix
  /// where their weights are written alike.
  Result<LinearGroup> linear_group(const std::vector<LinearName>& names, int64_t in, bool has_bias);

  /// `name`.weight [size] as f32.
  Result<Norm> norm(const std::string& name, int64_t size, float eps);

  /// The tensor's rows as they lie in the file, checked for their shape.
  Result<std::unique_ptr<RowSource>> rows(const std::string& name,
                                          const std::vector<int64_t>& shape);

  /// Packs `rows` [out, in]. Their file's pages leave the process as they are packed.
  Result<Linear> pack(const RowSource& rows);

  /// Says that `rows` of a tensor are read where they lie in their file, and never packed.
  void keep_in_file(const RowSource& rows);

  /// Passes over the tensor `name` where it is not there, or holds what `rows` hold: true. False
  /// where its values are others, and nothing is passed over. Errors as rows().
  Result<bool> ignore_copy(const std::string& name, const RowSource& rows);

  /// kInvalidArgument naming tensors that nobody asked for: the architecture is not what it seems.
  Status finish() const;

  uint64_t num_parameters() const { return num_parameters_; }
  uint64_t packed_bytes() const { return packed_bytes_; }
  uint64_t file_bytes() const { return file_bytes_; }  ///< of what keep_in_file() was told

 private:
  Status load_biases(const std::vector<LinearName>& names, LinearGroup& group);
  Result<Buffer> vector(const std::string& name, int64_t size);
  void advance(uint64_t bytes);
  void report() const;

  const WeightSource& source_;
  const LoadOptions& options_;
  std::map<std::string, uint64_t, std::less<>> unused_;  // bytes of tensors nobody asked for yet
  uint64_t num_parameters_ = 0;
  uint64_t packed_bytes_ = 0;
  uint64_t file_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // of tensors that will be packed
  std::atomic<uint64_t> done_bytes_{0};
};

}  // namespace tern
