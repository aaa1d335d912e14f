// From what an operator writes to a model's files.
#pragma once

#include <string>

#include "base/status.h"

namespace tern {

/// The directory or GGUF file of a model: a path, or the name of a bundled model (a folder or a
/// GGUF file without its ending, below $TERN_MODELS, the installed share/tern/models, the source
/// tree's models/, or ./models). A directory without config.json stands for the one GGUF file in
/// it. kNotFound saying where it was looked for and what is there instead, or that it is a name or
/// an address of the network, which must be downloaded first; kInvalidArgument where there are
/// several GGUF files.
Result<std::string> resolve_model(const std::string& name_or_path);

/// The file of a ranker: a path, or the name of a bundled one (rankers/NAME.safetensors in the
/// places of bundled models). kNotFound saying where it was looked for.
Result<std::string> resolve_ranker(const std::string& name_or_path);

}  // namespace tern
