#include "tests/engine/state/stateful_model.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/io/checkpoint.h"
#include "engine/model/decoder_layer.h"
#include "engine/model/weight_loader.h"
#include "kernels/registry.h"
#include "tests/engine/state/running_sum.h"
#include "tests/support/source_dir.h"

namespace tern {
namespace {

class StatefulModel final : public Model {
 public:
  void forward(Step& step, MatView<float> logits) const override {
    const StepBatch& batch = step.batch;
    const auto scope = step.ws.scope();
    const auto x = step.ws.mat<float>(batch.num_tokens(), config_.hidden);
    dispatch(kernels().embed,
             {.token_ids = batch.token_ids.data(), .table = embedding_.weight, .y = x}, step.ex);
    for (const DecoderLayer& layer : layers_) layer.forward(step, x);
    const auto last = step.ws.mat<float>(int64_t(batch.logits_rows.size()), config_.hidden);
    dispatch(kernels().gather_rows,
             {.x = read_only(x), .rows = batch.logits_rows.data(), .y = last}, step.ex);
    norm_.forward(last, last, step.ex);
    head_.forward(step, last, logits);
  }

  void for_each_block(const std::function<void(const Block&)>& fn) const override {
    for (const DecoderLayer& layer : layers_) {
      fn(*layer.mixer);
      fn(*layer.feed_forward);
    }
  }
  void for_each_linear(const std::function<void(const Linear&)>& fn) const override {
    for_each_block([&](const Block& block) { block.for_each_linear(fn); });
    fn(head_);
  }
  const CacheLayout& cache_layout() const override { return layout_; }
  int32_t vocab_size() const override { return config_.vocab_size; }
  uint64_t num_parameters() const override { return num_parameters_; }
  uint64_t weight_bytes() const override { return weight_bytes_; }
  std::string weight_format() const override {
    return std::string(head_.weight.format.packing->type);
  }

  Status load(const LoadOptions& options, bool has_attention) {
    const std::string path = source_path("tests/data/golden/llama");
    TERN_ASSIGN(config_, read_model_config(path + "/config.json"));
    TERN_ASSIGN(const std::shared_ptr<const WeightSource> weights, open_weights(path));
    WeightLoader loader(*weights, options);
    if (!options.plan_only) {
      TERN_ASSIGN(rope_, RopeTable::create(config_.rope, config_.head_dim, options.max_model_len,
                                           device_memory(options.ex.device)));
    }
    const int64_t hidden = config_.hidden, width = config_.intermediate;
    TERN_ASSIGN(const auto rows,
                loader.rows("model.embed_tokens.weight", {config_.vocab_size, hidden}));
    TERN_ASSIGN(embedding_, loader.pack(*rows, Compute::kF32));
    TERN_TRY(load_layer(loader, 0,
                        has_attention
                            ? load_attention(loader)
                            : load_sum(loader, {"model.layers.0.self_attn.q_proj", hidden},
                                       {"model.layers.0.self_attn.o_proj", hidden})));
    TERN_TRY(load_layer(loader, 1,
                        load_sum(loader, {"model.layers.1.self_attn.q_proj", hidden},
                                 {"model.layers.1.self_attn.o_proj", hidden})));
    TERN_TRY(load_layer(loader, 2,
                        load_sum(loader, {"model.layers.2.mlp.up_proj", width},
                                 {"model.layers.2.mlp.down_proj", hidden})));
    TERN_ASSIGN(norm_, loader.norm("model.norm", hidden, config_.norm_eps, 0, 1));
    TERN_ASSIGN(head_, loader.linear({"lm_head", config_.vocab_size}, hidden, false));
    num_parameters_ = loader.num_parameters();
    weight_bytes_ = loader.packed_bytes();
    return {};
  }

 private:
  Result<std::unique_ptr<Block>> load_attention(WeightLoader& loader) {
    const std::string prefix = "model.layers.0.self_attn.";
    const int64_t q_width = int64_t(config_.num_heads) * config_.head_dim;
    const int64_t kv_width = int64_t(config_.num_kv_heads) * config_.head_dim;
    auto a = std::make_unique<GqaAttention>();
    a->num_heads = config_.num_heads;
    a->kv = {.num_kv_heads = config_.num_kv_heads, .head_dim = config_.head_dim};
    a->scale = 1 / std::sqrt(float(config_.head_dim));
    a->rope = &rope_;
    TERN_ASSIGN(a->qkv, loader.linear_group({{prefix + "q_proj", q_width},
                                             {prefix + "k_proj", kv_width},
                                             {prefix + "v_proj", kv_width}},
                                            config_.hidden, false));
    TERN_ASSIGN(a->o, loader.linear({prefix + "o_proj", config_.hidden}, q_width, false));
    return std::unique_ptr<Block>(std::move(a));
  }

  Result<std::unique_ptr<Block>> load_sum(WeightLoader& loader, const LinearName& in,
                                          const LinearName& out) {
    auto sum = std::make_unique<RunningSumBlock>();
    TERN_ASSIGN(sum->in, loader.linear(in, config_.hidden, false));
    TERN_ASSIGN(sum->out, loader.linear(out, in.out, false));
    return std::unique_ptr<Block>(std::move(sum));
  }

  // A sum grows with the sequence, so what a mixer gives is normed.
  Status load_layer(WeightLoader& loader, int32_t index, Result<std::unique_ptr<Block>> mixer) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    const float eps = config_.norm_eps;
    const int64_t hidden = config_.hidden, width = config_.intermediate;
    DecoderLayer layer;
    TERN_ASSIGN(layer.mixer, std::move(mixer));
    TERN_ASSIGN(layer.mixer_norm, loader.norm(prefix + "input_layernorm", hidden, eps, 0, 1));
    TERN_ASSIGN(layer.mixer_post_norm, loader.norm(prefix + "input_layernorm", hidden, eps, 0, 1));
    TERN_ASSIGN(layer.feed_forward_norm,
                loader.norm(prefix + "post_attention_layernorm", hidden, eps, 0, 1));
    auto mlp = std::make_unique<Mlp>();
    TERN_ASSIGN(mlp->gate_up, loader.linear_group({{prefix + "mlp.gate_proj", width},
                                                   {prefix + "mlp.up_proj", width}},
                                                  hidden, false));
    TERN_ASSIGN(mlp->down, loader.linear({prefix + "mlp.down_proj", hidden}, width, false));
    layer.feed_forward = std::move(mlp);
    layer.mixer->declare(layout_);
    layer.feed_forward->declare(layout_);
    layers_.push_back(std::move(layer));
    return {};
  }

  ModelConfig config_;
  RopeTable rope_;
  Linear embedding_, head_;
  Norm norm_;
  std::vector<DecoderLayer> layers_;
  CacheLayout layout_;
  uint64_t num_parameters_ = 0, weight_bytes_ = 0;
};

}  // namespace

std::shared_ptr<const Model> make_stateful_model(const StatefulModelOptions& options) {
  auto model = std::make_shared<StatefulModel>();
  const Status status = model->load(
      {.max_model_len = options.max_model_len, .ex = options.ex, .plan_only = options.plan_only},
      options.has_attention);
  TERN_CHECK(status.ok(), status.message());
  return model;
}

}  // namespace tern
