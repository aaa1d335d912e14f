#include "engine/ranker/ranker_file.h"

#include <cstdio>
#include <cstring>

#include "base/unaligned.h"
#include "engine/io/json_parse.h"
#include "engine/io/safetensors.h"
#include "engine/io/safetensors_writer.h"

namespace tern {
namespace {

constexpr const char* kFormat = "tern-ranker";
constexpr const char* kFormatVersion = "1";

std::map<std::string, std::string> metadata_of(const HashedRanker& ranker) {
  return {{"format", kFormat},
          {"format_version", kFormatVersion},
          {"ranker", std::string(ranker.name())},
          {"features_version", std::to_string(kFeaturesVersion)},
          {"sha256", to_hex(ranker.digest())}};
}

template <class T>
Status write_values(SafetensorsWriter& writer, const std::vector<T>& values) {
  return writer.write(std::as_bytes(std::span(values)));
}

Status expect_metadata(const SafetensorsFile& file, const std::string& key,
                       const std::string& expected) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end())
    return invalid_argument(file.path() + ": its metadata has no " + key);
  if (it->second == expected) return {};
  return invalid_argument(file.path() + ": " + key + ": must be " + in_quotes(expected) + ", is " +
                          in_quotes(it->second));
}

constexpr const char* kIsNoRanker = ": is not a ranker file: ";

// The file, as one that holds a ranker; another says first that it does not.
Result<SafetensorsFile> open_file(const std::string& path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file.ok() && file.status().code() == Code::kInvalidArgument) {
    std::string_view why = file.status().message();
    if (why.starts_with(path + ": ")) why.remove_prefix(path.size() + 2);
    return invalid_argument(path + kIsNoRanker + std::string(why));
  }
  if (!file.ok()) return file;
  const auto format = file->metadata().find("format");
  if (format == file->metadata().end())
    return invalid_argument(path + kIsNoRanker + "its metadata has no format");
  if (format->second != kFormat)
    return invalid_argument(path + kIsNoRanker + "format: must be " + in_quotes(kFormat) + ", is " +
                            in_quotes(format->second));
  return file;
}

// The tensor `name` [size] of `dtype`; any size from 1 to kMaxLengthKnots where `size` is 0.
Result<TensorView> find_vector(const SafetensorsFile& file, const std::string& name, DType dtype,
                               int64_t size) {
  const std::string where = file.path() + ": " + name + ": ";
  const TensorView* tensor = file.find(name);
  if (tensor == nullptr) return invalid_argument(where + "is missing");
  if (tensor->dtype != dtype || file.foreign_type(name) != nullptr)
    return invalid_argument(where + "must be " + std::string(dtype_name(dtype)) + ", is " +
                            std::string(dtype_name(tensor->dtype)));
  const int64_t lowest = size > 0 ? size : 1, highest = size > 0 ? size : kMaxLengthKnots;
  if (tensor->rank != 1 || tensor->shape[0] < lowest || tensor->shape[0] > highest)
    return invalid_argument(where + "must be one row of " + std::to_string(lowest) +
                            (size > 0 ? "" : " to " + std::to_string(highest)) + " values, has " +
                            std::to_string(tensor->rank) + " dimensions and " +
                            std::to_string(tensor->num_elements()) + " values");
  return *tensor;
}

Result<HashedRanker> read_hashed(const SafetensorsFile& file) {
  TERN_ASSIGN(const TensorView weights,
              find_vector(file, "weights", DType::kF16, kNumFeatureBuckets));
  TERN_ASSIGN(const TensorView scores, find_vector(file, "curve.scores", DType::kF32, 0));
  TERN_ASSIGN(const TensorView tokens,
              find_vector(file, "curve.tokens", DType::kF32, scores.shape[0]));
  if (file.tensors().size() != 3)
    return invalid_argument(file.path() + ": tensors: must be 3, are " +
                            std::to_string(file.tensors().size()));
  std::vector<float> values;
  for (int64_t i = 0; i < weights.shape[0]; ++i)
    values.push_back(to_float(load_unaligned<F16>(weights.data, i)));
  std::vector<LengthKnot> knots;
  for (int64_t i = 0; i < scores.shape[0]; ++i)
    knots.push_back({load_unaligned<float>(scores.data, i), load_unaligned<float>(tokens.data, i)});
  Result<LengthCurve> curve = LengthCurve::make(std::move(knots));
  if (!curve.ok()) return curve.status().with_context(file.path() + ": curve");
  Result<HashedRanker> ranker = HashedRanker::make(values, *std::move(curve));
  if (!ranker.ok()) return ranker.status().with_context(file.path());
  return ranker;
}

}  // namespace

Status save_ranker(const HashedRanker& ranker, const std::string& path) {
  std::vector<F16> weights;
  for (const float weight : ranker.weights()) weights.push_back(to_f16(weight));
  std::vector<float> scores, tokens;
  for (const LengthKnot& knot : ranker.curve().knots()) {
    scores.push_back(knot.score);
    tokens.push_back(knot.tokens);
  }
  const auto num_knots = int64_t(scores.size());
  TERN_ASSIGN(SafetensorsWriter writer,
              SafetensorsWriter::create(path,
                                        {{"curve.scores", {num_knots}, DType::kF32},
                                         {"curve.tokens", {num_knots}, DType::kF32},
                                         {"weights", {kNumFeatureBuckets}, DType::kF16}},
                                        metadata_of(ranker)));
  TERN_TRY(write_values(writer, scores));
  TERN_TRY(write_values(writer, tokens));
  TERN_TRY(write_values(writer, weights));
  return writer.finish();
}

Result<std::unique_ptr<HashedRanker>> open_hashed_ranker(const std::string& path) {
  TERN_ASSIGN(const SafetensorsFile file, open_file(path));
  TERN_TRY(expect_metadata(file, "format_version", kFormatVersion));
  TERN_TRY(expect_metadata(file, "ranker", "hashed"));
  TERN_TRY(expect_metadata(file, "features_version", std::to_string(kFeaturesVersion)));
  TERN_ASSIGN(HashedRanker ranker, read_hashed(file));
  TERN_TRY(
      expect_metadata(file, "sha256", to_hex(ranker.digest())).with_context("the file is damaged"));
  return std::make_unique<HashedRanker>(std::move(ranker));
}

Result<std::unique_ptr<Ranker>> open_ranker(const std::string& path) {
  TERN_ASSIGN(std::unique_ptr<HashedRanker> ranker, open_hashed_ranker(path));
  return std::unique_ptr<Ranker>(std::move(ranker));
}

}  // namespace tern
