#include "engine/io/weight_source.h"

#include <filesystem>

#include "engine/io/checkpoint.h"
#include "engine/io/gguf_weights.h"

namespace tern {

Result<std::shared_ptr<const WeightSource>> open_weights(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) return GgufWeights::open(path);
  TERN_ASSIGN(Checkpoint checkpoint, Checkpoint::open(path));
  return std::shared_ptr<const WeightSource>(std::make_shared<Checkpoint>(std::move(checkpoint)));
}

}  // namespace tern
