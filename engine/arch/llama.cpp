// Llama: pre-norm layers of grouped-query attention and a gated MLP (docs/papers.md).
#include "engine/arch/registry.h"
#include "engine/model/decoder_layer.h"
#include "engine/model/rope_table.h"

namespace tern {
namespace {

class Llama final : public Model {
 public:
  void forward(const StepBatch& batch, const KvCache& kv, Workspace& ws, const Exec& ex,
               MatView<float> logits) const override {
    const auto scope = ws.scope();
    const auto x = ws.mat<float>(batch.num_tokens(), config_.hidden);
    dispatch(kernels().embed, {.token_ids = batch.token_ids.data(), .table = embedding_, .y = x},
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

  static Result<std::unique_ptr<Model>> load(const ModelConfig& config,
                                             std::shared_ptr<const Checkpoint> checkpoint,
                                             const LoadOptions& options) {
    if (config.hidden_act != "silu")
      return Status(Code::kUnimplemented, config.source + ": hidden_act: '" + config.hidden_act +
                                              "' is not supported; LlamaForCausalLM has silu");
    auto model = std::make_unique<Llama>();
    model->config_ = config;
    TERN_ASSIGN(model->rope_, RopeTable::create(config, options.max_model_len));
    WeightLoader loader(*checkpoint, options.ex, options.on_progress);
    TERN_TRY(model->load_weights(loader));
    TERN_TRY(loader.finish());
    model->num_parameters_ = loader.num_parameters();
    model->weight_bytes_ = loader.packed_bytes() + model->rope_.bytes();
    model->checkpoint_ = std::move(checkpoint);
    return std::unique_ptr<Model>(std::move(model));
  }

 private:
  Status load_weights(WeightLoader& loader) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(embedding_, loader.tensor("model.embed_tokens.weight", {c.vocab_size, c.hidden}));
    for (int32_t i = 0; i < c.num_layers; ++i) TERN_TRY(load_layer(loader, i));
    TERN_ASSIGN(final_norm_, loader.norm("model.norm", c.hidden, c.norm_eps));
    if (c.tie_word_embeddings) {
      loader.ignore("lm_head.weight");
      TERN_ASSIGN(lm_head_, loader.pack(embedding_));
    } else {
      TERN_ASSIGN(lm_head_, loader.linear("lm_head", c.vocab_size, c.hidden, false));
    }
    return {};
  }

  Status load_layer(WeightLoader& loader, int32_t index) {
    const ModelConfig& c = config_;
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    const int64_t q_width = int64_t(c.num_heads) * c.head_dim;
    const int64_t kv_width = int64_t(c.num_kv_heads) * c.head_dim;
    DecoderLayer layer;
    TERN_ASSIGN(layer.attention_norm,
                loader.norm(prefix + "input_layernorm", c.hidden, c.norm_eps));
    TERN_ASSIGN(layer.mlp_norm,
                loader.norm(prefix + "post_attention_layernorm", c.hidden, c.norm_eps));

    GqaAttention& a = layer.attention;
    a.num_heads = c.num_heads, a.num_kv_heads = c.num_kv_heads, a.head_dim = c.head_dim;
    const std::string self = prefix + "self_attn.";
    TERN_ASSIGN(a.q, loader.linear(self + "q_proj", q_width, c.hidden, c.attention_bias));
    TERN_ASSIGN(a.k, loader.linear(self + "k_proj", kv_width, c.hidden, c.attention_bias));
    TERN_ASSIGN(a.v, loader.linear(self + "v_proj", kv_width, c.hidden, c.attention_bias));
    TERN_ASSIGN(a.o, loader.linear(self + "o_proj", c.hidden, q_width, c.attention_bias));

    const std::string mlp = prefix + "mlp.";
    TERN_ASSIGN(layer.mlp.gate,
                loader.linear(mlp + "gate_proj", c.intermediate, c.hidden, c.mlp_bias));
    TERN_ASSIGN(layer.mlp.up, loader.linear(mlp + "up_proj", c.intermediate, c.hidden, c.mlp_bias));
    TERN_ASSIGN(layer.mlp.down,
                loader.linear(mlp + "down_proj", c.hidden, c.intermediate, c.mlp_bias));
    layers_.push_back(std::move(layer));
    return {};
  }

  ModelConfig config_;
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

Result<std::unique_ptr<Model>> load_llama(const ModelConfig& config,
                                          std::shared_ptr<const Checkpoint> checkpoint,
                                          const LoadOptions& options) {
  return Llama::load(config, std::move(checkpoint), options);
}

}  // namespace tern
