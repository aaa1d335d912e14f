// A step's arrays, brought to where the kernels read them.
#pragma once

#include <cstddef>
#include <vector>

#include "base/buffer.h"
#include "engine/model/step_batch.h"

namespace tern {

/// Copies of one batch's arrays on a device; reused, so that a step allocates nothing once it has
/// seen the largest. One thread.
class StagedBatch {
 public:
  explicit StagedBatch(DeviceMemory& memory) : memory_(memory) {}

  /// The batch with its arrays in the device's memory; itself where that is the host's. Valid until
  /// the next call; `batch` must stay until the device has waited. kResourceExhausted naming the
  /// bytes.
  Result<StepBatch> stage(const StepBatch& batch, void* stream);

 private:
  DeviceMemory& memory_;
  Buffer device_;
  std::vector<std::byte> host_;  // what is copied, in one piece
};

}  // namespace tern
