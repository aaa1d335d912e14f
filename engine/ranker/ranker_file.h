// Rankers as files: safetensors with metadata that says what they are. Files are untrusted.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/ranker/hashed_ranker.h"

namespace tern {

/// Writes `ranker` to a new file. Tensors: `weights` F16 [kNumFeatureBuckets], `curve.scores` and
/// `curve.tokens` F32 [knots]. Metadata: format "tern-ranker", format_version, ranker "hashed",
/// features_version, and sha256, the digest of HashedRanker. kAlreadyExists, kUnavailable,
/// kResourceExhausted.
Status save_ranker(const HashedRanker& ranker, const std::string& path);

/// Reads what save_ranker() wrote. kNotFound and the other errors of SafetensorsFile::open, or
/// kInvalidArgument naming the file, the field, its value and the limit: another format or version,
/// missing or unknown tensors, types, shapes, weights that are not finite, a curve that falls, and
/// a digest that is another.
Result<std::unique_ptr<HashedRanker>> open_hashed_ranker(const std::string& path);

/// A ranker of the kind that the file names.
Result<std::unique_ptr<Ranker>> open_ranker(const std::string& path);

}  // namespace tern
