// What a model's generation_config.json proposes: how to sample, and which tokens end an answer.
#pragma once

#include <string>
#include <vector>

#include "engine/load/model_assets.h"

namespace tern {

/// Reads `path`, where there is such a file, into eos_token_ids and default_sampling of `info`,
/// whose vocab_size must be set. Whatever stands in the file, the model can be served: numbers out
/// of range become the nearest one that is allowed, and what cannot be used is passed over. Returns
/// a line about each, to warn with: file, key, value, what is allowed.
std::vector<std::string> read_generation_config(const std::string& path, ModelInfo& info);

}  // namespace tern
