// What a lexical ranker sees in a prompt: words and what they say of sizes, hashed into buckets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "scheduler/ranker.h"

namespace tern {

/// One non-zero coordinate of a prompt's vector.
struct Feature {
  uint16_t bucket;
  float value;  ///< in (0, 1]
};

/// Changes whenever a prompt's features change: weights fit one definition alone.
inline constexpr int32_t kFeaturesVersion = 1;

inline constexpr int32_t kNumFeatureBuckets = 1 << 16;

/// Words of a longer prompt that are looked at: instructions stand at the start, or at the end.
inline constexpr int32_t kNumHeadWords = 96;
inline constexpr int32_t kNumTailWords = 32;

/// The features of one prompt, each bucket at most once, as a vector of length 1. It has no memory
/// beside itself, so that scoring allocates nothing.
class FeatureList {
 public:
  static constexpr size_t kCapacity = 1024;

  std::span<const Feature> view() const { return {features_.data(), size_}; }

  /// Beyond kCapacity nothing is added.
  void push_back(Feature feature) {
    if (size_ < kCapacity) features_[size_++] = feature;
  }

  /// Divides all values by the vector's length, so that long prompts do not score higher for having
  /// more words.
  void normalize();

 private:
  size_t size_ = 0;
  std::array<Feature, kCapacity> features_;  // not initialised: 8 KiB for each prompt
};

/// Words and pairs of neighbouring words, the first words by their place, numbers with what they
/// count ("three sentences", "from 2 to 40"), and the sizes of the prompt. Of a prompt of more than
/// kNumHeadWords + kNumTailWords words those at both ends are looked at; of a huge one, no more
/// than some KiB at both ends. Any bytes are words of a kind; the same bytes always give the same
/// features.
void extract_features(const RankerInput& input, FeatureList& features);

}  // namespace tern
