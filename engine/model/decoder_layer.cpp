#include "engine/model/decoder_layer.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace tern {
namespace {

void copy_rows(MatView<float> from, MatView<float> to) {
  for (int64_t r = 0; r < from.rows; ++r)
    std::copy(from.row(r), from.row(r) + from.cols, to.row(r));
}

}  // namespace

void GqaAttention::forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
                           const RopeRows& rope, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();
  const int64_t q_width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  const auto projected = ws.mat<float>(x.rows, qkv.out());
  const auto qx = columns(projected, 0, q_width);
  const auto kx = columns(projected, q_width, kv_width);
  const auto vx = columns(projected, q_width + kv_width, kv_width);
  LinearInput input(x, ws, ex);
  qkv.forward(input, projected, ex);

  if (q_norm) q_norm->forward(qx, qx, ex);
  if (k_norm) k_norm->forward(kx, kx, ex);
  for (const MatView<float>& turned : {qx, kx}) {
    if (!use_rope) break;
    dispatch(kernels().rope,
             {.x = turned, .positions = rope.rows, .head_dim = head_dim, .cos_sin = rope.cos_sin},
             ex);
  }
  dispatch(
      kernels().kv_write,
      {.k = read_only(kx), .v = read_only(vx), .slot_mapping = batch.slot_mapping.data(), .kv = kv},
      ex);

  const int64_t max_context = batch.block_table.cols * kv.block_size;
  const auto y = ws.mat<float>(x.rows, q_width);
  const auto scratch = ws.mat<float>(num_threads(ex.pool), Attention::scratch_cols(max_context));
  dispatch(kernels().attention,
           {.q = read_only(qx),
            .kv = kv,
            .num_heads = num_heads,
            .scale = scale,
            .softcap = softcap,
            .window = window,
            .num_seqs = batch.num_seqs(),
            .cu_seqlens_q = batch.cu_seqlens_q.data(),
            .context_lens = batch.context_lens.data(),
            .block_table = batch.block_table,
            .scratch = scratch,
            .y = y},
           ex);
  o.forward(y, x, ws, ex);
}

size_t GqaAttention::workspace_bytes(const StepLimits& limits) const {
  const auto floats = [](int64_t n) { return Workspace::footprint<float>(n); };
  return floats(limits.max_tokens * qkv.out()) + floats(limits.max_tokens * o.weight.cols) +
         floats(limits.num_threads * Attention::scratch_cols(limits.max_context_len)) +
         LinearInput::workspace_bytes(limits.max_tokens, qkv.in()) +
         LinearInput::workspace_bytes(limits.max_tokens, o.weight.cols);
}

void Mlp::forward(MatView<float> x, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();
  const auto projected = ws.mat<float>(x.rows, gate_up.out());
  const auto g = columns(projected, 0, down.weight.cols);
  const auto u = columns(projected, down.weight.cols, down.weight.cols);
  LinearInput input(x, ws, ex);
  gate_up.forward(input, projected, ex);
  dispatch(kernels().gated_activation,
           {.gate = read_only(g), .up = read_only(u), .activation = activation, .y = g}, ex);
  down.forward(g, x, ws, ex);
}

size_t Mlp::workspace_bytes(const StepLimits& limits) const {
  return Workspace::footprint<float>(limits.max_tokens * gate_up.out()) +
         LinearInput::workspace_bytes(limits.max_tokens, gate_up.in()) +
         LinearInput::workspace_bytes(limits.max_tokens, down.weight.cols);
}

void DecoderLayer::forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
                           const RopeRows& rope, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();  // what ws hands out below is taken back when the layer ends
  const auto h = ws.mat<float>(x.rows, x.cols);

  attention_norm ? attention_norm->forward(x, h, ex) : copy_rows(x, h);
  attention.forward(batch, h, kv, rope, ws, ex);  // h becomes the block's output
  if (attention_post_norm) attention_post_norm->forward(h, h, ex);
  add_to(h, residual_multiplier, x, ex);

  mlp_norm ? mlp_norm->forward(x, h, ex) : copy_rows(x, h);
  mlp.forward(h, ws, ex);
  if (mlp_post_norm) mlp_post_norm->forward(h, h, ex);
  add_to(h, residual_multiplier, x, ex);
}

size_t DecoderLayer::workspace_bytes(const StepLimits& limits) const {
  return Workspace::footprint<float>(limits.max_tokens * attention.o.out()) +
         std::max(attention.workspace_bytes(limits), mlp.workspace_bytes(limits));
}

}  // namespace tern
