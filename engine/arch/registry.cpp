#include "engine/arch/registry.h"

namespace tern {

Result<std::unique_ptr<Model>> load_llama(const ModelConfig&, std::shared_ptr<const Checkpoint>,
                                          const LoadOptions&);

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all{
      {"LlamaForCausalLM", load_llama},
  };
  return all;
}

Result<std::unique_ptr<Model>> load_model(const ModelConfig& config,
                                          std::shared_ptr<const Checkpoint> checkpoint,
                                          const LoadOptions& options) {
  std::string known;
  for (const Architecture& a : architectures()) {
    if (config.architecture == a.name) return a.load(config, std::move(checkpoint), options);
    known += std::string(known.empty() ? "" : ", ") + a.name;
  }
  return Status(Code::kUnimplemented, config.source + ": architectures: '" + config.architecture +
                                          "' is not supported; tern knows " + known);
}

}  // namespace tern
