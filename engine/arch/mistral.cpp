// Mistral: Llama, in old versions with a sliding window in every layer, or in those that
// `layer_types` says (transformers' Ministral class).
#include "engine/arch/llama_like.h"
#include "engine/model/config_reader.h"

namespace tern {

Result<std::unique_ptr<Model>> load_mistral(const ModelConfig& config,
                                            std::shared_ptr<const WeightSource> weights,
                                            const LoadOptions& options) {
  LlamaLike recipe;
  ConfigReader r(*config.json, config.source);
  r.integer("sliding_window", recipe.window, 1, INT32_MAX, false);
  TERN_TRY(r.status());
  TERN_TRY(read_layer_types(config, recipe.sliding));
  return load_llama_like(config, std::move(weights), options, recipe);
}

}  // namespace tern
