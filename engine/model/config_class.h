// What transformers' configuration classes say where a config.json is silent, and where the text
// model's part of a multimodal config stands.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"

namespace tern {

/// The part of a config.json that describes the text model, complete.
struct CompleteConfig {
  std::string architecture;     ///< "LlamaForCausalLM"
  std::string model_type;       ///< "llama"
  nlohmann::json keys;          ///< the file's, over the defaults of the architecture's class
  nlohmann::json default_keys;  ///< the class's alone
  std::string default_sizes;    ///< as in ModelConfig
  /// The file describes a model that sees images as well, of which only the text model is wanted.
  bool is_text_part = false;
};

/// Finds the architecture of `config` (of its text_config, where it is a multimodal one) by
/// `architectures`, or by `model_type` where that is absent or empty, names another model that tern
/// knows, or names a text model while `model_type` names a multimodal one with a text_config; and
/// fills in the keys that it lacks.
/// An explicit null stays where it means "none" to the class, and else counts as absent.
/// kUnimplemented naming an architecture that tern does not know, and those it does.
Result<CompleteConfig> complete_config(const nlohmann::json& config, const std::string& source);

}  // namespace tern
