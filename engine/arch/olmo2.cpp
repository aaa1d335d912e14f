// OLMo 2: norms behind attention and MLP, and over whole queries and keys.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_olmo2(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options) {
  return load_llama_like(config, std::move(weights), options,
                         {.qkv_bias = config.attention_bias,
                          .o_bias = config.attention_bias,
                          .qk_norm = LlamaLike::QkNorm::kWhole,
                          .norms = LlamaLike::Norms::kPost});
}

}  // namespace tern
