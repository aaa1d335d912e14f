// A Hugging Face model directory: config.json and one or several safetensors files.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/io/safetensors.h"
#include "engine/io/weight_source.h"

namespace tern {

/// Reads `path` as JSON. kNotFound, or kInvalidArgument with file, line and column of the mistake.
Result<nlohmann::json> read_json_file(const std::string& path);

class Checkpoint final : public WeightSource {
 public:
  /// Opens `directory`/model.safetensors, or the shards that model.safetensors.index.json names.
  /// Errors name what is missing: the directory, the files, a shard, a tensor that the index
  /// promises and its shard lacks, a tensor that two shards hold. Shard names that leave the
  /// directory are refused.
  static Result<Checkpoint> open(const std::string& directory);

  const std::string& path() const override { return directory_; }

  /// Null where there is no such tensor.
  const TensorView* find(std::string_view name) const;

  Result<std::unique_ptr<RowSource>> get(std::string_view name,
                                         const std::vector<int64_t>& shape) const override;
  std::vector<TensorInfo> tensors() const override;

 private:
  const ForeignType* foreign_type(std::string_view name) const;
  Status add_file(const std::string& path);
  Status add_shards(const std::string& index_path);

  std::string directory_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, const TensorView*, std::less<>> tensors_;
};

}  // namespace tern
