#include "engine/arch/llama_like.h"

#include <cmath>

#include "base/log.h"
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
              .table = embedding_.get(),
              .scale = recipe_.embedding_multiplier,
              .y = x},
             ex);
    const RopeRows rope = rope_.rows_of(batch, ws);
    const RopeRows local_rope = local_rope_ ? local_rope_->rows_of(batch, ws) : rope;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const bool is_local = layers_[i].attention.window > 0;
      layers_[i].forward(batch, x, kv.layer(static_cast<int32_t>(i)), is_local ? local_rope : rope,
                         ws, ex);
    }

    // Only the wanted rows pay for the final norm and the vocabulary.
    const auto last = ws.mat<float>(static_cast<int64_t>(batch.logits_rows.size()), config_.hidden);
    for (int64_t r = 0; r < last.rows; ++r) {
      const float* row = x.row(batch.logits_rows[r]);
      std::copy(row, row + config_.hidden, last.row(r));
    }
    final_norm_.forward(last, last, ex);
    lm_head_.forward(last, logits, ws, ex);
    if (recipe_.logits_softcap > 0)
      dispatch(kernels().softcap, {.cap = recipe_.logits_softcap, .x = logits}, ex);
  }

  int32_t rope_variant(int64_t num_positions) const override {
    return rope_.variant(num_positions);
  }

  size_t workspace_bytes(const StepLimits& limits) const override {
    return Workspace::footprint<float>(limits.max_tokens * config_.hidden) +
           Workspace::footprint<float>(limits.max_logits_rows * config_.hidden) +
           LinearInput::workspace_bytes(limits.max_logits_rows, config_.hidden) +
           (config_.local_rope ? 2 : 1) * RopeTable::workspace_bytes(limits) +
           layers_.front().workspace_bytes(limits);
  }

  KvLayout kv_layout() const override {
    return {config_.num_layers, config_.num_kv_heads, config_.head_dim};
  }
  int32_t vocab_size() const override { return config_.vocab_size; }
  uint64_t num_parameters() const override { return num_parameters_; }
  uint64_t weight_bytes() const override { return weight_bytes_; }
  uint64_t file_bytes() const override { return file_bytes_; }
  std::string weight_format() const override {
    return std::string(format(layers_.front().mlp.down.weight.format).type);
  }

  Status load(std::shared_ptr<const WeightSource> weights, const LoadOptions& options) {
    const ModelConfig& c = config_;
    if (!options.plan_only) TERN_TRY(make_rope_tables(options.max_model_len));
    WeightLoader loader(*weights, options);
    TERN_TRY(load_weights(loader));
    TERN_TRY(loader.finish());
    if (c.tie_word_embeddings && !is_tied_ && !options.plan_only)
      spdlog::warn(
          "{}: tie_word_embeddings: is true, but the lm_head.weight in {} has other values than "
          "the "
          "embedding: they are not tied",
          c.source, weights->path());
    num_parameters_ = loader.num_parameters();
    file_bytes_ = loader.file_bytes();
    weight_bytes_ =
        loader.packed_bytes() + RopeTable::bytes_for(c.rope, c.head_dim, options.max_model_len) +
        (c.local_rope ? RopeTable::bytes_for(*c.local_rope, c.head_dim, options.max_model_len) : 0);
    if (!is_tied_) weights_ = std::move(weights);
    return {};
  }

 private:
  Status make_rope_tables(int32_t max_positions) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(rope_, RopeTable::create(c.rope, c.head_dim, max_positions));
    if (!c.local_rope) return {};
    TERN_ASSIGN(local_rope_, RopeTable::create(*c.local_rope, c.head_dim, max_positions));
    return {};
  }

  Status load_weights(WeightLoader& loader) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(embedding_, load_embedding(loader));
    // A head of its own that the file holds counts, whatever the config says, as in transformers.
    is_tied_ = c.tie_word_embeddings;
    if (is_tied_) {
      TERN_ASSIGN(is_tied_, loader.ignore_copy("lm_head.weight", *embedding_));
    }
    for (int32_t i = 0; i < c.num_layers; ++i) TERN_TRY(load_layer(loader, i));
    TERN_ASSIGN(final_norm_, norm(loader, "model.norm", c.hidden));
    // Dividing what the head reads divides the logits.
    for (int32_t i = 0; i < c.hidden; ++i)
      final_norm_.gain.as<float>()[i] /= recipe_.logits_divisor;
    if (is_tied_) {
      TERN_ASSIGN(lm_head_, loader.pack(*embedding_));
      embedding_ = make_packed_rows(lm_head_.weight);  // one copy: the head's
    } else {
      loader.keep_in_file(*embedding_);
      TERN_ASSIGN(lm_head_, loader.linear("lm_head", c.vocab_size, c.hidden, false));
    }
    return {};
  }

  Result<std::unique_ptr<RowSource>> load_embedding(WeightLoader& loader) {
    const std::vector<int64_t> shape{config_.vocab_size, config_.hidden};
    auto rows = loader.rows("model.embed_tokens.weight", shape);
    const bool is_missing = !rows.ok() && rows.status().code() == Code::kNotFound;
    if (!is_missing || !config_.tie_word_embeddings) return rows;
    // Some checkpoints keep a tied matrix under the head's name alone.
    auto head = loader.rows("lm_head.weight", shape);
    if (!head.ok() && head.status().code() == Code::kNotFound) return rows;
    return head;
  }

  Status load_layer(WeightLoader& loader, int32_t index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    DecoderLayer layer;
    layer.residual_multiplier = recipe_.residual_multiplier;
    TERN_TRY(load_norms(loader, prefix, layer));
    TERN_TRY(load_attention(loader, prefix + "self_attn.", layer.attention));
    if (!recipe_.use_rope.empty()) layer.attention.use_rope = recipe_.use_rope[index];
    if (recipe_.sliding.empty() || recipe_.sliding[index]) layer.attention.window = recipe_.window;
    TERN_TRY(load_mlp(loader, prefix + "mlp.", layer.mlp));
    layers_.push_back(std::move(layer));
    return {};
  }

  Status load_mlp(WeightLoader& loader, const std::string& prefix, Mlp& mlp) {
    const ModelConfig& c = config_;
    const bool bias = recipe_.mlp_bias;
    mlp.activation = config_.activation;
    std::vector<LinearName> parts{{prefix + "gate_proj", c.intermediate},
                                  {prefix + "up_proj", c.intermediate}};
    if (recipe_.fused_projections) parts = {{prefix + "gate_up_proj", 2 * c.intermediate}};
    TERN_ASSIGN(mlp.gate_up, loader.linear_group(parts, c.hidden, bias));
    TERN_ASSIGN(mlp.down, loader.linear(prefix + "down_proj", c.hidden, c.intermediate, bias));
    return {};
  }

  Result<Norm> norm(WeightLoader& loader, const std::string& name, int64_t size) {
    TERN_ASSIGN(Norm norm, loader.norm(name, size, config_.norm_eps));
    for (int64_t i = 0; i < size; ++i) norm.gain.as<float>()[i] += recipe_.norm_offset;
    return norm;
  }

  Status load_norms(WeightLoader& loader, const std::string& prefix, DecoderLayer& layer) {
    using Norms = LlamaLike::Norms;
    const int64_t hidden = config_.hidden;
    const std::string post_attention = prefix + "post_attention_layernorm";
    if (recipe_.norms != Norms::kPost) {
      TERN_ASSIGN(layer.attention_norm, norm(loader, prefix + "input_layernorm", hidden));
    }
    if (recipe_.norms == Norms::kPre) {
      TERN_ASSIGN(layer.mlp_norm, norm(loader, post_attention, hidden));
      return {};
    }
    TERN_ASSIGN(layer.attention_post_norm, norm(loader, post_attention, hidden));
    TERN_ASSIGN(layer.mlp_post_norm, norm(loader, prefix + "post_feedforward_layernorm", hidden));
    if (recipe_.norms == Norms::kSandwich) {
      TERN_ASSIGN(layer.mlp_norm, norm(loader, prefix + "pre_feedforward_layernorm", hidden));
    }
    return {};
  }

  Status load_attention(WeightLoader& loader, const std::string& prefix, GqaAttention& a) {
    const ModelConfig& c = config_;
    const int64_t q_width = int64_t(c.num_heads) * c.head_dim;
    const int64_t kv_width = int64_t(c.num_kv_heads) * c.head_dim;
    a.num_heads = c.num_heads, a.num_kv_heads = c.num_kv_heads, a.head_dim = c.head_dim;
    a.softcap = recipe_.attention_softcap;
    a.scale =
        recipe_.attention_scale > 0 ? recipe_.attention_scale : 1.0f / std::sqrt(float(c.head_dim));
    std::vector<LinearName> parts{
        {prefix + "q_proj", q_width}, {prefix + "k_proj", kv_width}, {prefix + "v_proj", kv_width}};
    if (recipe_.fused_projections) parts = {{prefix + "qkv_proj", q_width + 2 * kv_width}};
    TERN_ASSIGN(a.qkv, loader.linear_group(parts, c.hidden, recipe_.qkv_bias));
    TERN_ASSIGN(a.o, loader.linear(prefix + "o_proj", c.hidden, q_width, recipe_.o_bias));
    if (recipe_.qk_norm == LlamaLike::QkNorm::kNone) return {};
    const bool whole = recipe_.qk_norm == LlamaLike::QkNorm::kWhole;
    TERN_ASSIGN(a.q_norm, norm(loader, prefix + "q_norm", whole ? q_width : c.head_dim));
    TERN_ASSIGN(a.k_norm, norm(loader, prefix + "k_norm", whole ? kv_width : c.head_dim));
    return {};
  }

  const ModelConfig config_;
  const LlamaLike recipe_;
  std::shared_ptr<const WeightSource> weights_;  // maps the embedding, where it is not the head
  std::unique_ptr<RowSource> embedding_;         // [vocab_size, hidden]
  std::vector<DecoderLayer> layers_;
  Norm final_norm_;
  Linear lm_head_;
  bool is_tied_ = false;  // the head is the embedding
  RopeTable rope_;
  std::optional<RopeTable> local_rope_;  // of the layers that have a window
  uint64_t num_parameters_ = 0;
  uint64_t weight_bytes_ = 0;
  uint64_t file_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<Model>> load_llama_like(const ModelConfig& config,
                                               std::shared_ptr<const WeightSource> weights,
                                               const LoadOptions& options,
                                               const LlamaLike& recipe) {
  auto model = std::make_unique<LlamaLikeModel>(config, recipe);
  TERN_TRY(model->load(std::move(weights), options));
  return std::unique_ptr<Model>(std::move(model));
}

Status read_layer_types(const ModelConfig& config, std::vector<bool>& sliding) {
  ConfigReader r(*config.json, config.source);
  const nlohmann::json* types = r.member("layer_types", false);
  if (types == nullptr) return r.status();
  if (!types->is_array() || int64_t(types->size()) != config.num_layers) {
    r.fail("layer_types", "must have one entry for each of num_hidden_layers " +
                              std::to_string(config.num_layers));
    return r.status();
  }
  sliding.clear();
  for (const nlohmann::json& type : *types) {
    if (type != "sliding_attention" && type != "full_attention")
      r.fail("layer_types",
             type.dump() + " is not supported; tern knows sliding_attention and full_attention",
             Code::kUnimplemented);
    sliding.push_back(type == "sliding_attention");
  }
  return r.status();
}

Status check_no_window(const ModelConfig& config, const LoadOptions& options) {
  ConfigReader r(*config.json, config.source);
  // Qwen says so apart; where a class has no such key, the size decides.
  bool use_sliding_window = true;
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
