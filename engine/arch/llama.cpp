// Llama: pre-norm layers of grouped-query attention and a gated MLP (docs/papers.md).
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_llama(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options) {
  return load_llama_like(config, std::move(weights), options,
                         {.qkv_bias = config.attention_bias,
                          .o_bias = config.attention_bias,
                          .mlp_bias = config.mlp_bias});
}

}  // namespace tern
