// The two halves of a decoder layer: what mixes tokens, and what works on each.
#pragma once

#include <functional>

#include "base/tensor.h"
#include "engine/model/step.h"

namespace tern {

/// Immutable after loading. Attention, an MLP, experts, a state-space layer: whatever stands
/// between two norms.
class Block {
 public:
  virtual ~Block() = default;

  /// x: [tokens, hidden], normed; becomes the block's output. Takes workspace and gives it back;
  /// what it keeps of a sequence goes to the step's caches.
  virtual void forward(Step& step, MatView<float> x) const = 0;

  /// fn(layer) for every linear layer, in the order in which they run.
  virtual void for_each_linear(const std::function<void(const Linear&)>& fn) const = 0;
};

}  // namespace tern
