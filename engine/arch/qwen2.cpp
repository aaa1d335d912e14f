// Qwen 2 and 2.5: Llama with biases on q, k and v.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_qwen2(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  return load_llama_like(config, std::move(weights), options, {.qkv_bias = true});
}

}  // namespace tern
