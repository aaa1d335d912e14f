// Brings a checkpoint's tensors into the form that kernels read.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/device.h"
#include "engine/io/weight_source.h"
#include "engine/model/linear.h"

namespace tern {

/// Called with the share of all tensor bytes that is done, 0 to 1.
using LoadFraction = std::function<void(double)>;

/// A linear layer in the checkpoint.
struct LinearName {
  std::string name;
  int64_t out = 0;
};

/// Loading thread only. Every getter marks its tensor as used, so that finish() can name those that
/// the architecture does not know.
class WeightLoader {
 public:
  /// `ex`: whose pool packs, and for whose instruction set. The source must outlive the loader.
  WeightLoader(const WeightSource& source, Compute compute, const Exec& ex,
               LoadFraction on_progress);

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

  /// Packs `rows` [out, in].
  Result<Linear> pack(const RowSource& rows);

  /// A tensor that may be there and is not needed ("lm_head.weight" of tied embeddings).
  void ignore(const std::string& name) { used_.insert(name); }

  /// kInvalidArgument naming tensors that nobody asked for: the architecture is not what it seems.
  Status finish() const;

  uint64_t num_parameters() const { return num_parameters_; }
  uint64_t packed_bytes() const { return packed_bytes_; }

 private:
  Status load_biases(const std::vector<LinearName>& names, LinearGroup& group);
  Result<Buffer> vector(const std::string& name, int64_t size);
  void advance(uint64_t bytes);

  const WeightSource& source_;
  const Compute compute_;
  const Exec ex_;
  const LoadFraction on_progress_;
  std::set<std::string, std::less<>> used_;
  uint64_t num_parameters_ = 0;
  uint64_t packed_bytes_ = 0;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace tern
