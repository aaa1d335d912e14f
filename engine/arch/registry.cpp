#include "engine/arch/registry.h"

namespace tern {

using LoadFn = Result<std::unique_ptr<Model>>(const ModelConfig&,
                                              std::shared_ptr<const WeightSource>,
                                              const LoadOptions&);
LoadFn load_gemma2, load_gemma3, load_granite, load_llama, load_mistral, load_olmo2, load_phi3,
    load_qwen2, load_qwen3, load_smollm3;

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all{
      {"Gemma2ForCausalLM", load_gemma2},   {"Gemma3ForCausalLM", load_gemma3},
      {"GraniteForCausalLM", load_granite}, {"LlamaForCausalLM", load_llama},
      {"MistralForCausalLM", load_mistral}, {"Olmo2ForCausalLM", load_olmo2},
      {"Phi3ForCausalLM", load_phi3},       {"Qwen2ForCausalLM", load_qwen2},
      {"Qwen3ForCausalLM", load_qwen3},     {"SmolLM3ForCausalLM", load_smollm3},
  };
  return all;
}

Result<std::unique_ptr<Model>> load_model(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options) {
  std::string known;
  for (const Architecture& a : architectures()) {
    if (config.architecture == a.name) return a.load(config, std::move(weights), options);
    known += std::string(known.empty() ? "" : ", ") + a.name;
  }
  return Status(Code::kUnimplemented, config.source + ": architectures: '" + config.architecture +
                                          "' is not supported; tern knows " + known);
}

}  // namespace tern
