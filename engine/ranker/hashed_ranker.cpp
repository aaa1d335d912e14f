#include "engine/ranker/hashed_ranker.h"

#include <cmath>
#include <cstring>

namespace tern {
namespace {

void append(std::vector<std::byte>& bytes, const void* data, size_t size) {
  const auto* begin = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), begin, begin + size);
}

}  // namespace

Result<HashedRanker> HashedRanker::make(std::span<const float> weights, LengthCurve curve) {
  if (weights.size() != size_t(kNumFeatureBuckets))
    return invalid_argument("weights: must be " + std::to_string(kNumFeatureBuckets) + ", are " +
                            std::to_string(weights.size()));
  std::vector<float> rounded;
  rounded.reserve(weights.size());
  for (const float weight : weights) {
    const float value = to_float(to_f16(weight));
    if (!std::isfinite(value))
      return invalid_argument("weight " + std::to_string(rounded.size()) +
                              ": must be finite and within f16, is " + std::to_string(weight));
    rounded.push_back(value);
  }
  return HashedRanker(std::move(rounded), std::move(curve));
}

HashedRanker::HashedRanker(std::vector<float> weights, LengthCurve curve)
    : weights_(std::move(weights)), curve_(std::move(curve)) {
  std::vector<std::byte> content;
  append(content, &kFeaturesVersion, sizeof kFeaturesVersion);
  append(content, weights_.data(), weights_.size() * sizeof(float));
  for (const LengthKnot& knot : curve_.knots()) append(content, &knot, sizeof knot);
  digest_ = sha256(content);
}

uint64_t HashedRanker::version() const {
  uint64_t version = 0;
  for (size_t i = 0; i < 8; ++i) version = version << 8 | digest_[i];
  return version;
}

float HashedRanker::score(const RankerInput& input) const {
  FeatureList features;
  extract_features(input, features);
  double sum = 0;
  for (const Feature& f : features.view()) sum += double(weights_[f.bucket]) * f.value;
  return float(sum);
}

}  // namespace tern
