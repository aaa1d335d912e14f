// Granite: Llama with four multipliers.
#include "engine/arch/llama_like.h"
#include "engine/model/config_reader.h"

namespace tern {

Result<std::unique_ptr<Model>> load_granite(const ModelConfig& config,
                                            std::shared_ptr<const WeightSource> weights,
                                            const LoadOptions& options) {
  LlamaLike recipe{.qkv_bias = config.attention_bias,
                   .o_bias = config.attention_bias,
                   .mlp_bias = config.mlp_bias,
                   .attention_scale = 1};  // transformers' default, not head_dim^-1/2
  ConfigReader r(*config.json, config.source);
  r.number("embedding_multiplier", recipe.embedding_multiplier, 1e-6, 1e6);
  r.number("residual_multiplier", recipe.residual_multiplier, 1e-6, 1e6);
  r.number("attention_multiplier", recipe.attention_scale, 1e-6, 1e6);
  r.number("logits_scaling", recipe.logits_divisor, 1e-6, 1e6);
  TERN_TRY(r.status());
  return load_llama_like(config, std::move(weights), options, recipe);
}

}  // namespace tern
