#include "engine/model/decoder_layer.h"

namespace tern {

void GqaAttention::forward(Step& step, MatView<float> x) const {
  Workspace& ws = step.ws;
  const Exec& ex = step.ex;
  const StepBatch& batch = step.batch;
  const auto scope = ws.scope();
  const int64_t head_dim = kv.head_dim;
  const int64_t q_width = num_heads * head_dim, kv_width = kv.num_kv_heads * head_dim;
  const auto projected = ws.mat<float>(x.rows, qkv.out());
  const auto qx = columns(projected, 0, q_width);
  const auto kx = columns(projected, q_width, kv_width);
  const auto vx = columns(projected, q_width + kv_width, kv_width);
  LinearInput input(x, step);
  qkv.forward(input, projected);

  if (q_norm) q_norm->forward(qx, qx, ex);
  if (k_norm) k_norm->forward(kx, kx, ex);
  if (rope != nullptr) {
    rope->turn(batch, qx, head_dim, ex);
    rope->turn(batch, kx, head_dim, ex);
  }
  const KvLayerView stored = step.kv.layer(kv_id);
  dispatch(kernels().kv_write,
           {.k = read_only(kx),
            .v = read_only(vx),
            .slot_mapping = batch.slot_mapping.data(),
            .kv = stored},
           ex);

  const auto y = ws.mat<float>(x.rows, q_width);
  Attention::Args attention{.q = read_only(qx),
                            .kv = stored,
                            .num_heads = num_heads,
                            .scale = scale,
                            .softcap = softcap,
                            .window = kv.window,
                            .num_seqs = batch.num_seqs(),
                            .cu_seqlens_q = batch.cu_seqlens_q.data(),
                            .visible_end = batch.visible_end.data(),
                            .block_table = batch.block_table,
                            .y = y};
  const size_t scratch = scratch_bytes(kernels().attention, attention, ex);
  attention.scratch = ws.array<std::byte>(int64_t(scratch));
  dispatch(kernels().attention, attention, ex);
  o.forward(step, y, x);
}

void GqaAttention::for_each_linear(const std::function<void(const Linear&)>& fn) const {
  for (const Linear& part : qkv.parts) fn(part);
  fn(o);
}

void Mlp::forward(Step& step, MatView<float> x) const {
  const auto scope = step.ws.scope();
  const auto projected = step.ws.mat<float>(x.rows, gate_up.out());
  const auto g = columns(projected, 0, down.weight.cols);
  const auto u = columns(projected, down.weight.cols, down.weight.cols);
  LinearInput input(x, step);
  gate_up.forward(input, projected);
  dispatch(kernels().gated_activation,
           {.gate = read_only(g), .up = read_only(u), .activation = activation, .y = g}, step.ex);
  down.forward(step, g, x);
}

void Mlp::for_each_linear(const std::function<void(const Linear&)>& fn) const {
  for (const Linear& part : gate_up.parts) fn(part);
  fn(down);
}

namespace {

void forward_branch(Step& step, MatView<float> x, const std::optional<Norm>& norm,
                    const Block& block, const std::optional<Norm>& post_norm, float multiplier) {
  const auto scope = step.ws.scope();
  const auto h = step.ws.mat<float>(x.rows, x.cols);
  if (norm)
    norm->forward(x, h, step.ex);
  else
    dispatch(kernels().gather_rows, {.x = read_only(x), .y = h}, step.ex);
  block.forward(step, h);
  if (post_norm) post_norm->forward(h, h, step.ex);
  add_to(h, multiplier, x, step.ex);
}

}  // namespace

void DecoderLayer::forward(Step& step, MatView<float> x) const {
  forward_branch(step, x, mixer_norm, *mixer, mixer_post_norm, residual_multiplier);
  forward_branch(step, x, feed_forward_norm, *feed_forward, feed_forward_post_norm,
                 residual_multiplier);
}

}  // namespace tern
