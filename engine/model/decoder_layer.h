// One transformer layer, x += mixer(norm(x)), then x += feed_forward(norm(x)), and its usual
// variations.
#pragma once

#include <memory>
#include <optional>

#include "engine/model/block.h"
#include "engine/model/linear.h"
#include "engine/model/rope_table.h"

namespace tern {

/// Grouped-query attention over paged KV.
struct GqaAttention final : Block {
  LinearGroup qkv;
  Linear o;
  /// Before RoPE: over each head where the gain is [head_dim], else over the whole projection.
  std::optional<Norm> q_norm, k_norm;
  CacheLayout::Paged kv;            ///< what it keeps of each token
  int32_t kv_id = -1;               ///< of that, in the layout
  int64_t num_heads = 0;            ///< of queries
  float scale = 0;                  ///< of the scores, usually head_dim^-1/2
  float softcap = 0;                ///< bounds the scores; 0 = does not
  const RopeTable* rope = nullptr;  ///< null: no position embedding in this layer

  void declare(CacheLayout& layout) override { kv_id = layout.add(kv); }
  /// Appends this layer's keys and values.
  void forward(Step& step, MatView<float> x) const override;
  void for_each_linear(const std::function<void(const Linear&)>& fn) const override;
};

/// down(activation(gate x) * up x).
struct Mlp final : Block {
  LinearGroup gate_up;
  Linear down;
  Activation activation = Activation::kSilu;

  void forward(Step& step, MatView<float> x) const override;
  void for_each_linear(const std::function<void(const Linear&)>& fn) const override;
};

struct DecoderLayer {
  std::optional<Norm> mixer_norm, feed_forward_norm;            ///< of what a branch reads
  std::optional<Norm> mixer_post_norm, feed_forward_post_norm;  ///< of what a branch gives
  std::unique_ptr<Block> mixer, feed_forward;
  float residual_multiplier = 1;  ///< of each branch before it is added

  /// x: [tokens, hidden], the residual stream, updated in place.
  void forward(Step& step, MatView<float> x) const;
};

}  // namespace tern
