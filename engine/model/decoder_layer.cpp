#include "engine/model/decoder_layer.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace tern {
namespace {

// Normalises x [tokens, width] in place, in pieces of the gain's size.
void norm_pieces(const Norm& norm, MatView<float> x, const Exec& ex) {
  const int64_t width = static_cast<int64_t>(norm.gain.size() / sizeof(float));
  const MatView<float> pieces{x.data, x.rows * (x.cols / width), width, width};
  norm.forward(pieces, pieces, ex);
}

void copy_rows(MatView<float> from, MatView<float> to) {
  for (int64_t r = 0; r < from.rows; ++r)
    std::copy(from.row(r), from.row(r) + from.cols, to.row(r));
}

}  // namespace

void GqaAttention::forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
                           MatView<const float> cos_sin, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();
  const auto qx = ws.mat<float>(x.rows, q.out());
  const auto kx = ws.mat<float>(x.rows, k.out());
  const auto vx = ws.mat<float>(x.rows, v.out());
  q.forward(x, qx, ex);
  k.forward(x, kx, ex);
  v.forward(x, vx, ex);

  if (q_norm) norm_pieces(*q_norm, qx, ex);
  if (k_norm) norm_pieces(*k_norm, kx, ex);
  for (const MatView<float>& turned : {qx, kx}) {
    if (!use_rope) break;
    dispatch(kernels().rope,
             {.x = turned,
              .positions = batch.positions.data(),
              .head_dim = head_dim,
              .cos_sin = cos_sin},
             ex);
  }
  dispatch(
      kernels().kv_write,
      {.k = read_only(kx), .v = read_only(vx), .slot_mapping = batch.slot_mapping.data(), .kv = kv},
      ex);

  const int64_t max_context = batch.block_table.cols * kv.block_size;
  const auto y = ws.mat<float>(x.rows, q.out());
  const auto scratch = ws.mat<float>(num_threads(ex.pool), Attention::scratch_cols(max_context));
  dispatch(kernels().attention,
           {.q = read_only(qx),
            .kv = kv,
            .num_heads = num_heads,
            .scale = scale,
            .window = window,
            .num_seqs = batch.num_seqs(),
            .cu_seqlens_q = batch.cu_seqlens_q.data(),
            .context_lens = batch.context_lens.data(),
            .block_table = batch.block_table,
            .scratch = scratch,
            .y = y},
           ex);
  o.forward(y, x, ex);
}

size_t GqaAttention::workspace_bytes(const StepLimits& limits) const {
  const auto floats = [](int64_t n) { return Workspace::footprint<float>(n); };
  return 2 * floats(limits.max_tokens * q.out()) + 2 * floats(limits.max_tokens * k.out()) +
         floats(limits.num_threads * Attention::scratch_cols(limits.max_context_len));
}

void Mlp::forward(MatView<float> x, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();
  const auto g = ws.mat<float>(x.rows, gate.out());
  const auto u = ws.mat<float>(x.rows, up.out());
  gate.forward(x, g, ex);
  up.forward(x, u, ex);
  dispatch(kernels().silu_mul, {.gate = read_only(g), .up = read_only(u), .y = g}, ex);
  down.forward(g, x, ex);
}

size_t Mlp::workspace_bytes(const StepLimits& limits) const {
  return 2 * Workspace::footprint<float>(limits.max_tokens * gate.out());
}

void DecoderLayer::forward(const StepBatch& batch, MatView<float> x, const KvLayerView& kv,
                           MatView<const float> cos_sin, Workspace& ws, const Exec& ex) const {
  const auto scope = ws.scope();  // what ws hands out below is taken back when the layer ends
  const auto h = ws.mat<float>(x.rows, x.cols);

  attention_norm ? attention_norm->forward(x, h, ex) : copy_rows(x, h);
  attention.forward(batch, h, kv, cos_sin, ws, ex);  // h becomes the block's output
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
