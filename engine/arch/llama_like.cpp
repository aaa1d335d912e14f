#include "engine/arch/llama_like.h"

#include <cmath>

#include "engine/model/config_reader.h"
#include "engine/model/decoder_layer.h"
#include "engine/model/rope_table.h"

namespace tern {
namespace {

class LlamaLikeModel final : public Model {
 public:
  LlamaLikeModel(const ModelConfig& config, const LlamaLike& recipe)
      : config_(config), recipe_(recipe) {}

  void forward(const StepBatch& batch, const KvCache& kv, Workspace& ws, const Exec& ex,
               MatView<float> logits) const override {
    const auto scope = ws.scope();
    const auto x = ws.mat<float>(batch.num_tokens(), config_.hidden);
    dispatch(kernels().embed,
             {.token_ids = batch.token_ids.data(),
              .table = embedding_,
              .scale = recipe_.embedding_multiplier,
              .y = x},
             ex);
    for (size_t i = 0; i < layers_.size(); ++i)
      layers_[i].forward(batch, x, kv.layer(static_cast<int32_t>(i)), rope_.cos_sin(), ws, ex);

    // Only the wanted rows pay for the final norm and the vocabulary.
    const auto last = ws.mat<float>(static_cast<int64_t>(batch.logits_rows.size()), config_.hidden);
    for (int64_t r = 0; r < last.rows; ++r) {
      const float* row = x.row(batch.logits_rows[r]);
      std::copy(row, row + config_.hidden, last.row(r));
    }
    final_norm_.forward(last, last, ex);
    lm_head_.forward(last, logits, ex);
  }

  size_t workspace_bytes(const StepLimits& limits) const override {
    return Workspace::footprint<float>(limits.max_tokens * config_.hidden) +
           Workspace::footprint<float>(limits.max_logits_rows * config_.hidden) +
           layers_.front().workspace_bytes(limits);
  }

  KvLayout kv_layout() const override {
    return {config_.num_layers, config_.num_kv_heads, config_.head_dim};
  }
  int32_t vocab_size() const override { return config_.vocab_size; }
  uint64_t num_parameters() const override { return num_parameters_; }
  uint64_t weight_bytes() const override { return weight_bytes_; }
  std::string weight_format() const override {
    return std::string(format(layers_.front().mlp.gate.weight.format).name);
  }

  Status load(std::shared_ptr<const Checkpoint> checkpoint, const LoadOptions& options) {
    TERN_ASSIGN(rope_, RopeTable::create(config_, options.max_model_len));
    WeightLoader loader(*checkpoint, options.ex, options.on_progress);
    TERN_TRY(load_weights(loader));
    TERN_TRY(loader.finish());
    num_parameters_ = loader.num_parameters();
    weight_bytes_ = loader.packed_bytes() + rope_.bytes();
    checkpoint_ = std::move(checkpoint);
    return {};
  }

 private:
  Status load_weights(WeightLoader& loader) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(embedding_, loader.tensor("model.embed_tokens.weight", {c.vocab_size, c.hidden}));
    for (int32_t i = 0; i < c.num_layers; ++i) TERN_TRY(load_layer(loader, i));
    TERN_ASSIGN(final_norm_, loader.norm("model.norm", c.hidden, c.norm_eps));
    // Dividing what the head reads divides the logits.
    for (int32_t i = 0; i < c.hidden; ++i)
      final_norm_.gain.as<float>()[i] /= recipe_.logits_divisor;
    if (c.tie_word_embeddings) {
      loader.ignore("lm_head.weight");
      TERN_ASSIGN(lm_head_, loader.pack(embedding_));
    } else {
      TERN_ASSIGN(lm_head_, loader.linear("lm_head", c.vocab_size, c.hidden, false));
    }
    return {};
  }

  Status load_layer(WeightLoader& loader, int32_t index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    DecoderLayer layer;
    layer.residual_multiplier = recipe_.residual_multiplier;
    TERN_TRY(load_norms(loader, prefix, layer));
    TERN_TRY(load_attention(loader, prefix + "self_attn.", layer.attention));
    if (!recipe_.use_rope.empty()) layer.attention.use_rope = recipe_.use_rope[index];
    TERN_TRY(load_mlp(loader, prefix + "mlp.", layer.mlp));
    layers_.push_back(std::move(layer));
    return {};
  }

  Status load_mlp(WeightLoader& loader, const std::string& prefix, Mlp& mlp) {
    const ModelConfig& c = config_;
    const bool bias = recipe_.mlp_bias;
    if (recipe_.fused_projections) {
      TERN_ASSIGN(std::vector<Linear> parts,
                  loader.fused_linears(prefix + "gate_up_proj", {c.intermediate, c.intermediate},
                                       c.hidden));
      mlp.gate = std::move(parts[0]), mlp.up = std::move(parts[1]);
    } else {
      TERN_ASSIGN(mlp.gate, loader.linear(prefix + "gate_proj", c.intermediate, c.hidden, bias));
      TERN_ASSIGN(mlp.up, loader.linear(prefix + "up_proj", c.intermediate, c.hidden, bias));
    }
    TERN_ASSIGN(mlp.down, loader.linear(prefix + "down_proj", c.hidden, c.intermediate, bias));
    return {};
  }

  Status load_norms(WeightLoader& loader, const std::string& prefix, DecoderLayer& layer) {
    const ModelConfig& c = config_;
    if (recipe_.post_norm) {
      TERN_ASSIGN(layer.attention_post_norm,
                  loader.norm(prefix + "post_attention_layernorm", c.hidden, c.norm_eps));
      TERN_ASSIGN(layer.mlp_post_norm,
                  loader.norm(prefix + "post_feedforward_layernorm", c.hidden, c.norm_eps));
    } else {
      TERN_ASSIGN(layer.attention_norm,
                  loader.norm(prefix + "input_layernorm", c.hidden, c.norm_eps));
      TERN_ASSIGN(layer.mlp_norm,
                  loader.norm(prefix + "post_attention_layernorm", c.hidden, c.norm_eps));
    }
    return {};
  }

  Status load_attention(WeightLoader& loader, const std::string& prefix, GqaAttention& a) {
    const ModelConfig& c = config_;
    const int64_t q_width = int64_t(c.num_heads) * c.head_dim;
    const int64_t kv_width = int64_t(c.num_kv_heads) * c.head_dim;
    a.num_heads = c.num_heads, a.num_kv_heads = c.num_kv_heads, a.head_dim = c.head_dim;
    a.window = recipe_.window;
    a.scale =
        recipe_.attention_scale > 0 ? recipe_.attention_scale : 1.0f / std::sqrt(float(c.head_dim));
    if (recipe_.fused_projections) {
      TERN_ASSIGN(
          std::vector<Linear> parts,
          loader.fused_linears(prefix + "qkv_proj", {q_width, kv_width, kv_width}, c.hidden));
      a.q = std::move(parts[0]), a.k = std::move(parts[1]), a.v = std::move(parts[2]);
    } else {
      TERN_ASSIGN(a.q, loader.linear(prefix + "q_proj", q_width, c.hidden, recipe_.qkv_bias));
      TERN_ASSIGN(a.k, loader.linear(prefix + "k_proj", kv_width, c.hidden, recipe_.qkv_bias));
      TERN_ASSIGN(a.v, loader.linear(prefix + "v_proj", kv_width, c.hidden, recipe_.qkv_bias));
    }
    TERN_ASSIGN(a.o, loader.linear(prefix + "o_proj", c.hidden, q_width, recipe_.o_bias));
    if (recipe_.qk_norm == LlamaLike::QkNorm::kNone) return {};
    const bool whole = recipe_.qk_norm == LlamaLike::QkNorm::kWhole;
    TERN_ASSIGN(a.q_norm, loader.norm(prefix + "q_norm", whole ? q_width : c.head_dim, c.norm_eps));
    TERN_ASSIGN(a.k_norm,
                loader.norm(prefix + "k_norm", whole ? kv_width : c.head_dim, c.norm_eps));
    return {};
  }

  const ModelConfig config_;
  const LlamaLike recipe_;
  std::shared_ptr<const Checkpoint> checkpoint_;  // maps the embedding
  TensorView embedding_;                          // [vocab_size, hidden]
  std::vector<DecoderLayer> layers_;
  Norm final_norm_;
  Linear lm_head_;
  RopeTable rope_;
  uint64_t num_parameters_ = 0;
  uint64_t weight_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<Model>> load_llama_like(const ModelConfig& config,
                                               std::shared_ptr<const Checkpoint> checkpoint,
                                               const LoadOptions& options,
                                               const LlamaLike& recipe) {
  if (config.hidden_act != "silu")
    return Status(Code::kUnimplemented, config.source + ": hidden_act: '" + config.hidden_act +
                                            "' is not supported; " + config.architecture +
                                            " has silu");
  auto model = std::make_unique<LlamaLikeModel>(config, recipe);
  TERN_TRY(model->load(std::move(checkpoint), options));
  return std::unique_ptr<Model>(std::move(model));
}

Status check_no_window(const ModelConfig& config, const LoadOptions& options) {
  ConfigReader r(*config.json, config.source);
  bool use_sliding_window = true;  // Qwen says so apart; where the key is absent, the size decides
  int32_t sliding_window = INT32_MAX;
  r.boolean("use_sliding_window", use_sliding_window);
  r.integer("sliding_window", sliding_window, 1, INT32_MAX, false);
  if (use_sliding_window && sliding_window < options.max_model_len)
    r.fail("sliding_window",
           std::to_string(sliding_window) +
               " is not supported for longer contexts; set max_model_len to it or below",
           Code::kUnimplemented);
  return r.status();
}

}  // namespace tern
