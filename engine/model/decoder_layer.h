// One transformer layer, x += attention(norm(x)), then x += mlp(norm(x)), and its usual variations.
#pragma once

#include <optional>

#include "base/workspace.h"
#include "engine/cache/kv_cache.h"
#include "engine/model/linear.h"
#include "engine/model/rope_table.h"
#include "engine/model/step_batch.h"

namespace tern {

/// Grouped-query attention over paged KV.
struct GqaAttention {
  LinearGroup qkv;
  Linear o;
  /// Before RoPE: over each head where the gain is [head_dim], else over the whole projection.
  std::optional<Norm> q_norm, k_norm;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  float scale = 0;       ///< of the scores, usually head_dim^-1/2
  float softcap = 0;     ///< bounds the scores; 0 = does not
  int64_t window = 0;    ///< positions that a row sees, its own included; 0 = all
  bool use_rope = true;  ///< false: no position embedding in this layer

  /// x: [tokens, hidden], normed; becomes the block's output. Appends this layer's keys and values.
  void forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
               const RopeRows& rope, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

/// down(activation(gate x) * up x).
struct Mlp {
  LinearGroup gate_up;
  Linear down;
  Activation activation = Activation::kSilu;

  /// x: [tokens, hidden], normed; becomes the block's output.
  void forward(MatView<float> x, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

struct DecoderLayer {
  std::optional<Norm> attention_norm, mlp_norm;            ///< of what a branch reads
  std::optional<Norm> attention_post_norm, mlp_post_norm;  ///< of what a branch gives
  GqaAttention attention;
  Mlp mlp;
  float residual_multiplier = 1;  ///< of each branch before it is added

  /// x: [tokens, hidden], the residual stream, updated in place.
  void forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
               const RopeRows& rope, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

}  // namespace tern
