// The architectures that this build knows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/device.h"
#include "base/status.h"
#include "engine/io/weight_source.h"
#include "engine/model/model.h"
#include "engine/model/model_config.h"
#include "engine/model/weight_loader.h"

namespace tern {

struct Architecture {
  const char* name;  ///< as in config.json's `architectures`
  Result<std::unique_ptr<Model>> (*load)(const ModelConfig&, std::shared_ptr<const WeightSource>,
                                         const LoadOptions&);
};

/// In alphabetical order.
const std::vector<Architecture>& architectures();

/// kUnimplemented naming the config's architecture and those that exist; else what the
/// architecture's loader says.
Result<std::unique_ptr<Model>> load_model(const ModelConfig& config,
                                          std::shared_ptr<const WeightSource> weights,
                                          const LoadOptions& options);

}  // namespace tern
