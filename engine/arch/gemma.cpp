// Gemma 2 and 3: Llama with norms on both sides of a branch, whose gains are 1 + weight, a gelu, a
// window in most layers, and softcaps (2) or norms over each query and key head (3).
#include <cmath>

#include "base/dtype.h"
#include "engine/arch/llama_like.h"
#include "engine/model/config_reader.h"

namespace tern {
namespace {

// What transformers takes where a config has no `layer_types`: all but every `pattern`-th slide.
std::vector<bool> sliding_by_pattern(int32_t num_layers, int32_t pattern) {
  std::vector<bool> sliding;
  for (int32_t i = 0; i < num_layers; ++i) sliding.push_back((i + 1) % pattern != 0);
  return sliding;
}

// What Gemma 2 and 3 share.
Result<LlamaLike> read_gemma(const ModelConfig& config) {
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
  r.number("final_logit_softcapping", recipe.logits_softcap, 1e-3, 1e6);
  r.boolean("use_bidirectional_attention", is_bidirectional);
  if (is_bidirectional)
    r.fail("use_bidirectional_attention", "true is not supported", Code::kUnimplemented);
  TERN_TRY(r.status());
  recipe.attention_scale = float(1 / std::sqrt(query_pre_attn_scalar));
  TERN_TRY(read_layer_types(config, recipe.sliding));
  return recipe;
}

}  // namespace

Result<std::unique_ptr<Model>> load_gemma2(const ModelConfig& config,
                                           std::shared_ptr<const WeightSource> weights,
                                           const LoadOptions& options) {
  constexpr int32_t kPattern = 2;
  TERN_ASSIGN(LlamaLike recipe, read_gemma(config));
  if (recipe.sliding.empty()) recipe.sliding = sliding_by_pattern(config.num_layers, kPattern);
  ConfigReader r(*config.json, config.source);
  r.number("attn_logit_softcapping", recipe.attention_softcap, 1e-3, 1e6);
  TERN_TRY(r.status());
  return load_llama_like(config, std::move(weights), options, recipe);
}

Result<std::unique_ptr<Model>> load_gemma3(const ModelConfig& config,
                                           std::shared_ptr<const WeightSource> weights,
                                           const LoadOptions& options) {
  int32_t pattern = 6;
  ConfigReader r(*config.json, config.source);
  r.integer("sliding_window_pattern", pattern, 1, 4096, false);
  TERN_TRY(r.status());
  TERN_ASSIGN(LlamaLike recipe, read_gemma(config));
  if (recipe.sliding.empty()) recipe.sliding = sliding_by_pattern(config.num_layers, pattern);
  recipe.qk_norm = LlamaLike::QkNorm::kPerHead;
  return load_llama_like(config, std::move(weights), options, recipe);
}

}  // namespace tern
