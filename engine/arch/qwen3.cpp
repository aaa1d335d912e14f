// Qwen 3: Llama with a norm over each query and key head.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_qwen3(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  return load_llama_like(config, std::move(weights), options,
                         {.qkv_bias = config.attention_bias,
                          .o_bias = config.attention_bias,
                          .qk_norm = LlamaLike::QkNorm::kPerHead});
}

}  // namespace tern
