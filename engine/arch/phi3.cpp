// Phi-3 and Phi-4: Llama with fused projections, and RoPE on a part of each head.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_phi3(const ModelConfig& config,
                                         std::shared_ptr<const Checkpoint> checkpoint,
                                         const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  return load_llama_like(config, std::move(checkpoint), options, {.fused_projections = true});
}

}  // namespace tern
