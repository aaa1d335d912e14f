// Cosines and sines of rotary position embedding, for every position that a model serves.
#pragma once

#include "base/buffer.h"
#include "base/device.h"
#include "base/status.h"
#include "base/tensor.h"
#include "engine/model/model_config.h"
#include "engine/model/step_batch.h"

namespace tern {

class RopeTable {
 public:
  /// For positions [0, max_positions). Angles in double, rounded once. Formulas: docs/papers.md.
  static Result<RopeTable> create(const RopeConfig& rope, int32_t head_dim, int32_t max_positions,
                                  DeviceMemory& memory = host_memory());

  /// Of a table that create() would make.
  static size_t bytes_for(const RopeConfig& rope, int32_t head_dim, int32_t max_positions);

  /// Which angles a sequence gets that reaches at most `num_positions`: 1 where longrope's factors
  /// change because it leaves the original context, else 0. Fixed for a sequence's life, as the
  /// keys of one do not fit the queries of the other.
  int32_t variant(int64_t num_positions) const { return num_positions > short_positions_ ? 1 : 0; }

  /// x: [tokens, heads · head_dim], queries or keys of the step's tokens, turned in place.
  void turn(const StepBatch& batch, MatView<float> x, int64_t head_dim, const Exec& ex) const;

  size_t bytes() const { return buffer_.size(); }

 private:
  Buffer buffer_;                // variant 0 for positions [0, short_positions_), then variant 1
  int64_t short_positions_ = 0;  // all positions, where there is one variant
  int64_t rows_ = 0;
  int64_t rotary_dim_ = 0;
};

}  // namespace tern
