// Stands in for a checkpoint, to learn which tensors an architecture needs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/io/weight_source.h"
#include "engine/model/model_config.h"

namespace tern {

struct NeededTensor {
  std::string name;
  std::vector<int64_t> shape;
};

/// What the loader of `config`'s architecture asks for, in its order. Errors as load_model().
Result<std::vector<NeededTensor>> needed_tensors(const ModelConfig& config);

}  // namespace tern
