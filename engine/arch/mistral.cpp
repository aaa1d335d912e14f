// Mistral 7B and its kin: Llama, with a sliding window in old versions.
#include "engine/arch/llama_like.h"

namespace tern {

Result<std::unique_ptr<Model>> load_mistral(const ModelConfig& config,
                                            std::shared_ptr<const Checkpoint> checkpoint,
                                            const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  return load_llama_like(config, std::move(checkpoint), options, {});
}

}  // namespace tern
