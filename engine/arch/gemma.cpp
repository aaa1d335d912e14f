// Gemma 2 and 3: Llama with norms on both sides of a branch, whose gains are 1 + weight, a gelu, a
// window in most layers, and softcaps (2) or norms over each query and key head (3).
#include <cmath>

#include "base/dtype.h"
#include "engine/arch/llama_like.h"
#include "engine/model/config_reader.h"

namespace tern {
namespace {

// By layer: `layer_types`, or, where a config has none, all but every `pattern`-th.
Status read_sliding(const ModelConfig& config, int32_t pattern, std::vector<bool>& sliding) {
  ConfigReader r(*config.json, config.source);
  r.integer("_sliding_window_pattern", pattern, 1, 4096, false);
  r.integer("sliding_window_pattern", pattern, 1, 4096, false);
  const nlohmann::json* types = r.member("layer_types", false);
  if (types != nullptr && (!types->is_array() || int64_t(types->size()) != config.num_layers))
    r.fail("layer_types", "must have one entry for each of num_hidden_layers " +
                              std::to_string(config.num_layers));
  TERN_TRY(r.status());
  for (int32_t i = 0; i < config.num_layers; ++i) {
    const nlohmann::json type = types != nullptr         ? (*types)[i]
                                : (i + 1) % pattern != 0 ? "sliding_attention"
                                                         : "full_attention";
    if (type != "sliding_attention" && type != "full_attention")
      r.fail("layer_types",
             type.dump() + " is not supported; tern knows sliding_attention and full_attention",
             Code::kUnimplemented);
    sliding.push_back(type == "sliding_attention");
  }
  return r.status();
}

// What Gemma 2 and 3 share.
Result<LlamaLike> read_gemma(const ModelConfig& config, int32_t window_pattern) {
  LlamaLike recipe{.qkv_bias = config.attention_bias,
                   .o_bias = config.attention_bias,
                   .norms = LlamaLike::Norms::kSandwich,
                   .norm_offset = 1};
  // The reference multiplies by a constant of the weights' type.
  recipe.embedding_multiplier = to_float(to_bf16(std::sqrt(float(config.hidden))));
  double query_pre_attn_scalar = 0;
  bool is_bidirectional = false;
  ConfigReader r(*config.json, config.source);
  r.integer("sliding_window", recipe.window, 1, INT32_MAX, false);
  r.number("query_pre_attn_scalar", query_pre_attn_scalar, 1e-6, 1e6, true);
  r.number("attn_logit_softcapping", recipe.attention_softcap, 1e-3, 1e6);
  r.number("final_logit_softcapping", recipe.logits_softcap, 1e-3, 1e6);
  r.boolean("use_bidirectional_attention", is_bidirectional);
  if (is_bidirectional)
    r.fail("use_bidirectional_attention", "true is not supported", Code::kUnimplemented);
  TERN_TRY(r.status());
  recipe.attention_scale = float(1 / std::sqrt(query_pre_attn_scalar));
  TERN_TRY(read_sliding(config, window_pattern, recipe.sliding));
  return recipe;
}

}  // namespace

Result<std::unique_ptr<Model>> load_gemma2(const ModelConfig& config,
                                           std::shared_ptr<const WeightSource> weights,
                                           const LoadOptions& options) {
  TERN_ASSIGN(const LlamaLike recipe, read_gemma(config, 2));
  return load_llama_like(config, std::move(weights), options, recipe);
}

Result<std::unique_ptr<Model>> load_gemma3(const ModelConfig& config,
                                           std::shared_ptr<const WeightSource> weights,
                                           const LoadOptions& options) {
  TERN_ASSIGN(LlamaLike recipe, read_gemma(config, 6));
  recipe.qk_norm = LlamaLike::QkNorm::kPerHead;
  return load_llama_like(config, std::move(weights), options, recipe);
}

}  // namespace tern
