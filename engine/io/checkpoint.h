// A Hugging Face model directory: config.json and one or several safetensors files.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/io/safetensors.h"

namespace tern {

/// Reads `path` as JSON. kNotFound, or kInvalidArgument with file, line and column of the mistake.
Result<nlohmann::json> read_json_file(const std::string& path);

class Checkpoint {
 public:
  /// Opens `directory`/model.safetensors, or the shards that model.safetensors.index.json names.
  /// Errors name what is missing: the directory, the files, a shard, a tensor that the index
  /// promises and its shard lacks, a tensor that two shards hold. Shard names that leave the
  /// directory are refused.
  static Result<Checkpoint> open(const std::string& directory);

  const std::string& directory() const { return directory_; }

  /// Null where there is no such tensor.
  const TensorView* find(std::string_view name) const;

  /// The tensor; kNotFound naming it and the directory, kInvalidArgument where its shape is not
  /// `shape`, naming both shapes.
  Result<TensorView> get(std::string_view name, const std::vector<int64_t>& shape) const;

  std::vector<std::string> names() const;  ///< sorted
  uint64_t total_bytes() const;            ///< of all tensors

 private:
  Status add_file(const std::string& path);
  Status add_shards(const std::string& index_path);

  std::string directory_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, const TensorView*, std::less<>> tensors_;
};

}  // namespace tern
