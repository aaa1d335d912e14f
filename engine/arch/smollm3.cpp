// SmolLM3: Llama, with layers that have no position embedding.
#include "engine/arch/llama_like.h"
#include "engine/model/config_reader.h"

namespace tern {
namespace {

// no_rope_layers[i] is 1 where layer i *uses* RoPE; absent: every no_rope_layer_interval-th does
// not.
Status read_rope_layers(const ModelConfig& config, std::vector<bool>& use_rope) {
  ConfigReader r(*config.json, config.source);
  int32_t interval = 4;
  r.integer("no_rope_layer_interval", interval, 1, 4096, false);
  const nlohmann::json* list = r.member("no_rope_layers", false);
  if (list != nullptr && (!list->is_array() || int64_t(list->size()) != config.num_layers)) {
    r.fail("no_rope_layers", "must have one entry for each of num_hidden_layers " +
                                 std::to_string(config.num_layers));
    return r.status();
  }
  for (int32_t i = 0; i < config.num_layers; ++i)
    use_rope.push_back(list != nullptr ? (*list)[i] == 1 : (i + 1) % interval != 0);
  return r.status();
}

}  // namespace

Result<std::unique_ptr<Model>> load_smollm3(const ModelConfig& config,
                                            std::shared_ptr<const WeightSource> weights,
                                            const LoadOptions& options) {
  TERN_TRY(check_no_window(config, options));
  LlamaLike recipe{.qkv_bias = config.attention_bias,
                   .o_bias = config.attention_bias,
                   .mlp_bias = config.mlp_bias};
  TERN_TRY(read_rope_layers(config, recipe.use_rope));
  return load_llama_like(config, std::move(weights), options, recipe);
}

}  // namespace tern
