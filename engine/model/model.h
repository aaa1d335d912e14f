// What every architecture is to the rest of the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/cache/cache_layout.h"
#include "engine/model/block.h"
#include "engine/model/step.h"

namespace tern {

/// Immutable after loading: one forward at a time, on the thread that owns the Exec's pool.
class Model {
 public:
  virtual ~Model() = default;

  /// Computes a step: stores the KV of all its tokens in `step.kv` and the states behind them in
  /// `step.states`, and writes logits of batch.logits_rows to `logits` [logits_rows, vocab_size],
  /// f32. Each row's bits depend on its own sequence's tokens alone. Made of operations only;
  /// allocates nothing.
  virtual void forward(Step& step, MatView<float> logits) const = 0;

  /// Which of the model's position embeddings a sequence gets that computes at most `num_positions`
  /// tokens, prompt and answer. Chosen once, at admission: KV of different variants must not mix.
  virtual int32_t rope_variant(int64_t num_positions) const {
    (void)num_positions;
    return 0;
  }

  /// fn(block) for every block, in the order in which they run.
  virtual void for_each_block(const std::function<void(const Block&)>& fn) const = 0;

  /// fn(layer) for every linear layer, the head last.
  virtual void for_each_linear(const std::function<void(const Linear&)>& fn) const = 0;

  /// What the blocks have declared.
  virtual const CacheLayout& cache_layout() const = 0;
  virtual int32_t vocab_size() const = 0;
  virtual uint64_t num_parameters() const = 0;
  virtual uint64_t weight_bytes() const = 0;         ///< in memory, as packed
  virtual uint64_t file_bytes() const { return 0; }  ///< of weights that are read in their file
  virtual std::string weight_format() const = 0;     ///< of the linear layers: "bf16"
};

/// Workspace that the largest step needs on `ex`, without the logits: measured by a forward pass
/// that computes nothing. Of a model that was only planned, too.
size_t workspace_bytes(const Model& model, const StepLimits& limits, const Exec& ex);

}  // namespace tern
