// One transformer layer: x += attention(norm(x)), then x += mlp(norm(x)).
#pragma once

#include "base/workspace.h"
#include "engine/cache/kv_cache.h"
#include "engine/model/linear.h"
#include "engine/model/step_batch.h"

namespace tern {

/// Grouped-query attention over paged KV.
struct GqaAttention {
  Linear q, k, v, o;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;

  /// x: [tokens, hidden], normed; becomes the block's output. Appends this layer's keys and values.
  void forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
               MatView<const float> cos_sin, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

/// down(silu(gate x) * up x).
struct Mlp {
  Linear gate, up, down;

  /// x: [tokens, hidden], normed; becomes the block's output.
  void forward(MatView<float> x, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

struct DecoderLayer {
  Norm attention_norm, mlp_norm;
  GqaAttention attention;
  Mlp mlp;

  /// x: [tokens, hidden], the residual stream, updated in place.
  void forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
               MatView<const float> cos_sin, Workspace& ws, const Exec& ex) const;

  size_t workspace_bytes(const StepLimits& limits) const;
};

}  // namespace tern
