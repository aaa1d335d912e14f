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
  LlamaLikeModel(const ModelConfig& config, const LlamaLike& recipe, const Rank& rank)
      : config_(config), recipe_(recipe), rank_(rank) {}

  void forward(Step& step, MatView<float> logits) const override {
    TERN_CHECK(rank_.count == 1 || step.ex.dry_run_threads > 0,
               "nothing sums what the ranks of a model give");
    const StepBatch& batch = step.batch;
    const auto scope = step.ws.scope();
    const auto x = step.ws.mat<float>(batch.num_tokens(), config_.hidden);
    dispatch(kernels().embed,
             {.token_ids = batch.token_ids.data(),
              .table = embedding_,
              .scale = recipe_.embedding_multiplier,
              .y = x},
             step.ex);
    for (const DecoderLayer& layer : layers_) layer.forward(step, x);

    // Only the wanted rows pay for the final norm and the vocabulary.
    const auto last = step.ws.mat<float>(int64_t(batch.logits_rows.size()), config_.hidden);
    dispatch(kernels().gather_rows,
             {.x = read_only(x), .rows = batch.logits_rows.data(), .y = last}, step.ex);
    final_norm_.forward(last, last, step.ex);
    lm_head_.forward(step, last, logits);
    if (recipe_.logits_softcap > 0)
      dispatch(kernels().softcap, {.cap = recipe_.logits_softcap, .x = logits}, step.ex);
  }

  void for_each_block(const std::function<void(const Block&)>& fn) const override {
    for (const DecoderLayer& layer : layers_) {
      fn(*layer.mixer);
      fn(*layer.feed_forward);
    }
  }

  void for_each_linear(const std::function<void(const Linear&)>& fn) const override {
    for_each_block([&](const Block& block) { block.for_each_linear(fn); });
    fn(lm_head_);
  }

  int32_t rope_variant(int64_t num_positions) const override {
    return rope_.variant(num_positions);
  }

  const CacheLayout& cache_layout() const override { return layout_; }
  int32_t vocab_size() const override { return config_.vocab_size; }
  uint64_t num_parameters() const override { return num_parameters_; }
  uint64_t weight_bytes() const override { return weight_bytes_; }
  uint64_t file_bytes() const override { return file_bytes_; }
  std::string weight_format() const override {
    std::string type;  // of the first feed-forward's last matrix, as most are
    layers_.front().feed_forward->for_each_linear(
        [&](const Linear& l) { type = l.weight.format.packing->type; });
    return type;
  }

  Status load(std::shared_ptr<const WeightSource> weights, const LoadOptions& options) {
    const ModelConfig& c = config_;
    TERN_TRY(check_rank());
    if (!options.plan_only)
      TERN_TRY(make_rope_tables(options.max_model_len, device_memory(options.ex.device)));
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
  /// kInvalidArgument naming the key, or kUnimplemented, where ranks cannot divide the layers.
  Status check_rank() const {
    const ModelConfig& c = config_;
    const std::string ranks = std::to_string(rank_.count) + " ranks";
    if (rank_.index < 0 || rank_.index >= rank_.count)
      return invalid_argument("rank " + std::to_string(rank_.index) + " is none of " + ranks);
    if (rank_.count == 1) return {};
    for (const auto& [key, size] : {std::pair("num_attention_heads", c.num_heads),
                                    std::pair("num_key_value_heads", c.num_kv_heads),
                                    std::pair("intermediate_size", c.intermediate)})
      if (size % rank_.count != 0)
        return invalid_argument(c.source + ": " + key + ": " + std::to_string(size) +
                                " cannot be divided over " + ranks);
    if (recipe_.qk_norm != LlamaLike::QkNorm::kWhole) return {};
    return {Code::kUnimplemented, c.source + ": " + c.architecture +
                                      " norms all heads of a token as one, which " + ranks +
                                      " cannot do apart"};
  }

  Status make_rope_tables(int32_t max_positions, DeviceMemory& memory) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(rope_, RopeTable::create(c.rope, c.head_dim, max_positions, memory));
    if (!c.local_rope) return {};
    TERN_ASSIGN(local_rope_, RopeTable::create(*c.local_rope, c.head_dim, max_positions, memory));
    return {};
  }

  Status load_weights(WeightLoader& loader) {
    const ModelConfig& c = config_;
    TERN_ASSIGN(embedding_rows_, load_embedding(loader));
    // A head of its own that the file holds counts, whatever the config says, as in transformers.
    is_tied_ = c.tie_word_embeddings;
    if (is_tied_) {
      TERN_ASSIGN(is_tied_, loader.ignore_copy("lm_head.weight", *embedding_rows_));
    }
    // Layers keep its address, also of a model that is only planned.
    if (c.local_rope && !local_rope_) local_rope_.emplace();
    for (int32_t i = 0; i < c.num_layers; ++i) TERN_TRY(load_layer(loader, i));
    // Dividing what the head reads divides the logits.
    TERN_ASSIGN(final_norm_, norm(loader, "model.norm", c.hidden, recipe_.logits_divisor));
    const LinearName head{.name = "lm_head", .out = c.vocab_size};
    if (is_tied_) {
      TERN_ASSIGN(lm_head_, loader.pack(*embedding_rows_));
      lm_head_.names = {head};
      embedding_ = lm_head_.weight;  // one copy: the head's
      return {};
    }
    if (loader.reads_host_memory()) {
      loader.keep_in_file(*embedding_rows_);
      embedding_ = source_rows(*embedding_rows_);
    } else {  // packed without a loss
      TERN_ASSIGN(packed_embedding_, loader.pack(*embedding_rows_, Compute::kF32));
      embedding_ = packed_embedding_.weight;
    }
    TERN_ASSIGN(lm_head_, loader.linear(head, c.hidden, false));
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
    auto attention = std::make_unique<GqaAttention>();
    if (recipe_.sliding.empty() || recipe_.sliding[index]) attention->kv.window = recipe_.window;
    if (recipe_.use_rope.empty() || recipe_.use_rope[index])
      attention->rope = attention->kv.window > 0 && local_rope_ ? &*local_rope_ : &rope_;
    TERN_TRY(load_attention(loader, prefix + "self_attn.", *attention));
    layer.mixer = std::move(attention);
    auto mlp = std::make_unique<Mlp>();
    TERN_TRY(load_mlp(loader, prefix + "mlp.", *mlp));
    layer.feed_forward = std::move(mlp);
    layer.mixer->declare(layout_);
    layer.feed_forward->declare(layout_);
    layers_.push_back(std::move(layer));
    return {};
  }

  Status load_mlp(WeightLoader& loader, const std::string& prefix, Mlp& mlp) {
    const ModelConfig& c = config_;
    const bool bias = recipe_.mlp_bias;
    mlp.activation = config_.activation;
    const int64_t width = c.intermediate;
    std::vector<LinearName> parts{{prefix + "gate_proj", width, Cut::kRows},
                                  {prefix + "up_proj", width, Cut::kRows}};
    if (recipe_.fused_projections)
      parts = {{prefix + "gate_up_proj", 2 * width, Cut::kRows, 1, {width, width}}};
    TERN_ASSIGN(mlp.gate_up, loader.linear_group(parts, c.hidden, bias));
    TERN_ASSIGN(mlp.down, loader.linear({prefix + "down_proj", c.hidden, Cut::kCols}, width, bias));
    return {};
  }

  Result<Norm> norm(WeightLoader& loader, const std::string& name, int64_t size,
                    float divisor = 1) {
    return loader.norm(name, size, config_.norm_eps, recipe_.norm_offset, divisor);
  }

  Status load_norms(WeightLoader& loader, const std::string& prefix, DecoderLayer& layer) {
    using Norms = LlamaLike::Norms;
    const int64_t hidden = config_.hidden;
    const std::string post_attention = prefix + "post_attention_layernorm";
    if (recipe_.norms != Norms::kPost) {
      TERN_ASSIGN(layer.mixer_norm, norm(loader, prefix + "input_layernorm", hidden));
    }
    if (recipe_.norms == Norms::kPre) {
      TERN_ASSIGN(layer.feed_forward_norm, norm(loader, post_attention, hidden));
      return {};
    }
    TERN_ASSIGN(layer.mixer_post_norm, norm(loader, post_attention, hidden));
    TERN_ASSIGN(layer.feed_forward_post_norm,
                norm(loader, prefix + "post_feedforward_layernorm", hidden));
    if (recipe_.norms == Norms::kSandwich) {
      TERN_ASSIGN(layer.feed_forward_norm,
                  norm(loader, prefix + "pre_feedforward_layernorm", hidden));
    }
    return {};
  }

  Status load_attention(WeightLoader& loader, const std::string& prefix, GqaAttention& a) {
    const ModelConfig& c = config_;
    const int64_t q_width = int64_t(c.num_heads) * c.head_dim;
    const int64_t kv_width = int64_t(c.num_kv_heads) * c.head_dim;
    a.num_heads = c.num_heads / rank_.count;
    a.kv.num_kv_heads = c.num_kv_heads / rank_.count;
    a.kv.head_dim = c.head_dim;
    a.softcap = recipe_.attention_softcap;
    a.scale =
        recipe_.attention_scale > 0 ? recipe_.attention_scale : 1.0f / std::sqrt(float(c.head_dim));
    std::vector<LinearName> parts{{prefix + "q_proj", q_width, Cut::kHeads, c.head_dim},
                                  {prefix + "k_proj", kv_width, Cut::kHeads, c.head_dim},
                                  {prefix + "v_proj", kv_width, Cut::kHeads, c.head_dim}};
    if (recipe_.fused_projections)
      parts = {{prefix + "qkv_proj",
                q_width + 2 * kv_width,
                Cut::kHeads,
                c.head_dim,
                {q_width, kv_width, kv_width}}};
    TERN_ASSIGN(a.qkv, loader.linear_group(parts, c.hidden, recipe_.qkv_bias));
    TERN_ASSIGN(a.o,
                loader.linear({prefix + "o_proj", c.hidden, Cut::kCols}, q_width, recipe_.o_bias));
    if (recipe_.qk_norm == LlamaLike::QkNorm::kNone) return {};
    const bool whole = recipe_.qk_norm == LlamaLike::QkNorm::kWhole;
    TERN_ASSIGN(a.q_norm, norm(loader, prefix + "q_norm", whole ? q_width : c.head_dim));
    TERN_ASSIGN(a.k_norm, norm(loader, prefix + "k_norm", whole ? kv_width : c.head_dim));
    return {};
  }

  const ModelConfig config_;
  const LlamaLike recipe_;
  const Rank rank_;                              // whose part of the layers is here
  std::shared_ptr<const WeightSource> weights_;  // maps the embedding, where it is not the head
  std::unique_ptr<RowSource> embedding_rows_;    // [vocab_size, hidden], of the file
  Linear packed_embedding_;                      // where kernels cannot read the file
  WeightView embedding_;
  std::vector<DecoderLayer> layers_;
  CacheLayout layout_;
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
  auto model = std::make_unique<LlamaLikeModel>(config, recipe, options.rank);
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
