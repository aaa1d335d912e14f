// Brings a checkpoint's tensors into the form that kernels read.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/device.h"
#include "engine/io/checkpoint.h"
#include "engine/model/linear.h"

namespace tern {

/// Called with the share of all tensor bytes that is done, 0 to 1.
using LoadFraction = std::function<void(double)>;

/// Loading thread only. Every getter marks its tensor as used, so that finish() can name those that
/// the architecture does not know.
class WeightLoader {
 public:
  /// `ex`: whose pool packs. The checkpoint must outlive the loader.
  WeightLoader(const Checkpoint& checkpoint, const Exec& ex, LoadFraction on_progress);

  /// `name`.weight [out, in] packed in its own type (f16 as f32), and `name`.bias [out] where
  /// `has_bias`. kNotFound, kInvalidArgument (shape, type) naming tensor and directory.
  Result<Linear> linear(const std::string& name, int64_t out, int64_t in, bool has_bias);

  /// `name`.weight [sum of `outs`, in], cut into one linear layer for each of `outs`, without bias.
  Result<std::vector<Linear>> fused_linears(const std::string& name,
                                            const std::vector<int64_t>& outs, int64_t in);

  /// `name`.weight [size] as f32.
  Result<Norm> norm(const std::string& name, int64_t size, float eps);

  /// The tensor as it lies in the file, checked for its shape and for a float type.
  Result<TensorView> tensor(const std::string& name, const std::vector<int64_t>& shape);

  /// Packs `source` [out, in].
  Result<Linear> pack(const TensorView& source);

  /// A tensor that may be there and is not needed ("lm_head.weight" of tied embeddings).
  void ignore(const std::string& name) { used_.insert(name); }

  /// kInvalidArgument naming tensors that nobody asked for: the architecture is not what it seems.
  Status finish() const;

  uint64_t num_parameters() const { return num_parameters_; }
  uint64_t packed_bytes() const { return packed_bytes_; }

 private:
  Result<Buffer> vector(const std::string& name, int64_t size);
  void advance(const TensorView& t);

  const Checkpoint& checkpoint_;
  const Exec ex_;
  const LoadFraction on_progress_;
  std::set<std::string, std::less<>> used_;
  uint64_t num_parameters_ = 0;
  uint64_t packed_bytes_ = 0;
  uint64_t done_bytes_ = 0;
};

}  // namespace tern
