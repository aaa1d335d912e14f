// Brings a checkpoint's tensors into the form that kernels read.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/device.h"
#include "engine/io/weight_source.h"
#include "engine/model/cut.h"
#include "engine/model/linear.h"

namespace tern {

/// Called, often, with the bytes of tensors that are packed and those that will be.
using LoadedBytes = std::function<void(uint64_t done, uint64_t total)>;

struct LoadOptions {
  int32_t max_model_len = 0;            ///< positions to serve: sizes the RoPE table
  Compute compute = Compute::kDefault;  ///< arithmetic of the linear layers
  Exec ex;                  ///< whose pool packs weights, for whose kernels and into whose memory
  Rank rank;                ///< whose part of every matrix is read
  LoadedBytes on_progress;  ///< may be empty; loading thread
  /// Matrices get their shape and format but no memory: the model tells its sizes and cannot run.
  bool plan_only = false;
};

/// Loading thread only. Every getter marks its tensor as used, so that finish() can name those that
/// the architecture does not know.
class WeightLoader {
 public:
  /// The source and the options must outlive the loader.
  WeightLoader(const WeightSource& source, const LoadOptions& options);

  /// `name`.weight [out, in], the rank's part of it, packed as choose_format() says, and
  /// `name`.bias [out] where `has_bias`. kNotFound, kInvalidArgument (shape, type, cut) naming
  /// tensor and file.
  Result<Linear> linear(const LinearName& name, int64_t in, bool has_bias);

  /// As linear(), for layers with one input, in the order of their outputs: packed as one matrix
  /// where their weights are written alike.
  Result<LinearGroup> linear_group(const std::vector<LinearName>& names, int64_t in, bool has_bias);

  /// `name`.weight [size] as f32, each element plus `offset`, divided by `divisor`.
  Result<Norm> norm(const std::string& name, int64_t size, float eps, float offset, float divisor);

  /// The tensor's rows as they lie in the file, checked for their shape.
  Result<std::unique_ptr<RowSource>> rows(const std::string& name,
                                          const std::vector<int64_t>& shape);

  /// Packs `rows` [out, in] for `compute`. Their file's pages leave the process as they are packed.
  Result<Linear> pack(const RowSource& rows, Compute compute);
  Result<Linear> pack(const RowSource& rows) { return pack(rows, options_.compute); }

  /// Whether kernels can read what lies in the host's memory, such as a mapped file.
  bool reads_host_memory() const { return memory_.is_host(); }

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
  Status load_order(const RowSource& rows, Linear& linear);
  Status load_bias(Linear& linear);
  Result<std::vector<float>> vector(const std::string& name, int64_t size);
  Result<Buffer> upload(const std::vector<float>& values);
  void advance(uint64_t bytes);
  void report() const;

  const WeightSource& source_;
  const LoadOptions& options_;
  DeviceMemory& memory_;
  std::map<std::string, uint64_t, std::less<>> unused_;  // bytes of tensors nobody asked for yet
  uint64_t num_parameters_ = 0;
  uint64_t packed_bytes_ = 0;
  uint64_t file_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // of tensors that will be packed
  std::atomic<uint64_t> done_bytes_{0};
};

}  // namespace tern
