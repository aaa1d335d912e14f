#include "engine/decode/falling_weights.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "engine/decode/row_passes.h"

namespace tern {
namespace {

// A weight's distance below 1 in steps of float: larger for smaller weights. 128 buckets an octave;
// the last bucket has all that are less than 2^-44.
constexpr int kBucketBits = 16;
constexpr uint32_t kNumBuckets = 44 * 128 + 1;

uint32_t distance_of(float weight) {
  return std::bit_cast<uint32_t>(1.0f) - std::bit_cast<uint32_t>(weight);
}
uint32_t bucket_of(float weight) {
  return std::min(distance_of(weight) >> kBucketBits, kNumBuckets - 1);
}

bool reaches(double running, double sum, bool beyond) {
  return beyond ? running > sum : running >= sum;
}

// The first bucket that brings the running sum, `before` so far, to `sum`; else the last that is
// not empty. `before` becomes the sum of the buckets before it.
size_t find_bucket(std::span<const double> sums, double& before, double sum, bool beyond) {
  size_t last = sums.size();
  double before_last = before;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == 0) continue;
    last = i;
    before_last = before;
    if (reaches(before + sums[i], sum, beyond)) break;
    before += sums[i];
  }
  TERN_CHECK(last < sums.size(), "a weight is above 0");
  before = before_last;
  return last;
}

}  // namespace

FallingWeights::FallingWeights(int64_t max_count) : bucket_sums_(kNumBuckets) {
  gathered_.reserve(max_count);
}

void FallingWeights::assign(std::span<const float> weights, std::span<const float> block_largest,
                            float least) {
  weights_ = weights;
  block_largest_ = block_largest;
  std::fill(bucket_sums_.begin(), bucket_sums_.end(), 0.0);
  for (size_t block = 0; block < block_largest.size(); ++block) {
    if (block_largest[block] < least) continue;
    const size_t first = block * WeighLogits::kBlock;
    for (size_t i = first; i < first + WeighLogits::kBlock; ++i)
      bucket_sums_[bucket_of(weights[i])] += weights[i];
  }
}

void FallingWeights::gather(uint32_t bucket) {
  constexpr size_t kStep = 16;  // entries that are looked at together, in vectors
  static_assert(WeighLogits::kBlock % kStep == 0);
  gathered_.clear();
  // Of the last bucket, which has no lower end, all that are above 0.
  const uint32_t nearest = bucket << kBucketBits;
  const uint32_t width = bucket == kNumBuckets - 1 ? distance_of(0) - nearest : 1u << kBucketBits;
  const float highest = std::bit_cast<float>(std::bit_cast<uint32_t>(1.0f) - nearest);
  const float above = std::bit_cast<float>(std::bit_cast<uint32_t>(highest) - width);
  for (size_t block = 0; block < block_largest_.size(); ++block) {
    if (block_largest_[block] <= above) continue;
    const size_t first = block * WeighLogits::kBlock;
    for (size_t i = first; i < first + WeighLogits::kBlock; i += kStep) {
      int found = 0;
      for (size_t k = i; k < i + kStep; ++k)
        found |= int(weights_[k] <= highest) & int(weights_[k] > above);
      if (!found) continue;
      for (size_t k = i; k < i + kStep; ++k)
        if (weights_[k] <= highest && weights_[k] > above)
          gathered_.push_back({weights_[k], static_cast<int32_t>(k)});
    }
  }
}

// Leaves of many gathered ones those of one of 256 finer buckets.
void FallingWeights::narrow(double& before, double sum, bool beyond) {
  constexpr int kFinerBits = kBucketBits - 8;
  const auto finer = [](const Candidate& c) { return distance_of(c.weight) >> kFinerBits & 255; };
  std::array<double, 256> sums{};
  for (const Candidate& c : gathered_) sums[finer(c)] += c.weight;
  const size_t kept = find_bucket(sums, before, sum, beyond);
  std::erase_if(gathered_, [&](const Candidate& c) { return finer(c) != kept; });
}

FallingWeights::Place FallingWeights::find(double sum, bool beyond) {
  double before = 0;
  const size_t bucket = find_bucket(bucket_sums_, before, sum, beyond);
  gather(static_cast<uint32_t>(bucket));
  if (gathered_.size() > 64 && bucket < kNumBuckets - 1) narrow(before, sum, beyond);
  std::sort(gathered_.begin(), gathered_.end(), comes_before);
  Place place{.sum = before};
  for (const Candidate& c : gathered_) {
    place.candidate = c;
    place.sum += c.weight;
    if (reaches(place.sum, sum, beyond)) break;
  }
  return place;
}

}  // namespace tern
