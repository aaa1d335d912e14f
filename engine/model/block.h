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

  /// Adds what the block keeps of a sequence between two steps, and remembers under which ids.
  /// Once, before the first forward(); the default is nothing.
  virtual void declare(CacheLayout& layout) { (void)layout; }

  /// x: [tokens, hidden], normed; becomes the block's output. Takes workspace and gives it back;
  /// what it keeps of a sequence goes to the step's caches, where it has declared it.
  virtual void forward(Step& step, MatView<float> x) const = 0;

  /// fn(layer) for every linear layer, in the order in which they run.
  virtual void for_each_linear(const std::function<void(const Linear&)>& fn) const = 0;
};

}  // namespace tern
