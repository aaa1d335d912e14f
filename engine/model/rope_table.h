// Cosines and sines of rotary position embedding, for every position that a model serves.
#pragma once

#include "base/buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "engine/model/model_config.h"

namespace tern {

class RopeTable {
 public:
  /// For positions [0, max_positions). Angles in double, rounded once. Variants: docs/papers.md.
  static Result<RopeTable> create(const ModelConfig& config, int32_t max_positions);

  /// [max_positions, rotary_dim]: rotary_dim/2 cosines, then as many sines.
  MatView<const float> cos_sin() const {
    return {buffer_.as<float>(), max_positions_, rotary_dim_, rotary_dim_};
  }
  size_t bytes() const { return buffer_.size(); }

 private:
  Buffer buffer_;
  int64_t max_positions_ = 0;
  int64_t rotary_dim_ = 0;
};

}  // namespace tern
