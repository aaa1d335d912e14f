// Phi-3 and Phi-4: Llama with fused projections, RoPE on a part of each head, and longrope.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_phi3(const ModelConfig& config,
                                         std::shared_ptr<const WeightSource> weights,
                                         const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  return load_llama_like(config, std::move(weights), options, {.fused_projections = true});
}

}  // namespace tern
