#include "engine/decode/falling_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>

#include "base/check.h"

namespace tern {
namespace {

constexpr int64_t kFew = 64;     // which are sorted
constexpr int64_t kBehind = 16;  // weights that split() may write behind a part
constexpr int64_t kSampled = 1024;
constexpr size_t kNumBuckets = 512;
constexpr uint32_t kSmallest = 1;  // the least float above 0
constexpr double kInfinite = std::numeric_limits<double>::infinity();

uint32_t bits_of(float weight) {
  return std::bit_cast<uint32_t>(weight);
}
float weight_of(uint32_t bits) {
  return std::bit_cast<float>(bits);
}

/// Sums (or numbers) of every stride-th weight of a part, by buckets of neighbouring bits.
struct Histogram {
  Histogram(std::span<const float> weights, int64_t stride, uint32_t lowest, bool counts);

  uint32_t first = ~0u, last = 0;  // bits of the least and the largest weight that was seen
  uint32_t base = 0;               // all that are less are in the first bucket
  int shift = 0;                   // to the width of a bucket
  std::array<double, kNumBuckets> amounts{};

  size_t num_buckets() const { return ((last - base) >> shift) + 1; }
  uint32_t end_of(size_t bucket) const { return base + (uint32_t(bucket + 1) << shift); }
};

Histogram::Histogram(std::span<const float> weights, int64_t stride, uint32_t lowest, bool counts) {
  constexpr uint32_t kMostOctaves = 32u << 23;  // of floats; what is less hardly counts
  const auto size = int64_t(weights.size());
  for (int64_t i = 0; i < size; i += stride) {
    const uint32_t bits = bits_of(weights[i]);
    if (bits < lowest) continue;
    first = std::min(first, bits);
    last = std::max(last, bits);
  }
  if (first > last) first = last = lowest;  // the sample has none
  base = std::max(first, last - std::min(last, kMostOctaves));
  shift = std::max(0, int(std::bit_width(last - base)) - int(std::bit_width(kNumBuckets - 1)));
  for (int64_t i = 0; i < size; i += stride) {
    const uint32_t bits = bits_of(weights[i]);
    if (bits < lowest) continue;
    amounts[(std::max(bits, base) - base) >> shift] += counts ? 1.0 : double(weights[i]);
  }
}

}  // namespace

// Whether all weights of this bracket are equal.
bool FallingWeights::Bracket::is_one() const {
  return limit - lowest == 1;
}

bool FallingWeights::Target::is_rank() const {
  return sum == kInfinite;
}

bool FallingWeights::Target::is_reached(double running_sum, int64_t running_num) const {
  return running_num >= num || (beyond ? running_sum > sum : running_sum >= sum);
}

FallingWeights::FallingWeights(int64_t max_count, const RowPasses& passes) : passes_(&passes) {
  kept_.resize(size_t(max_count + kBehind));
  part_.resize(size_t(max_count + kBehind));
}

size_t FallingWeights::scratch_bytes(int64_t max_count) {
  return 2 * size_t(max_count + kBehind) * sizeof(float);
}

void FallingWeights::assign(std::span<const float> weights, std::span<const float> block_largest,
                            double total) {
  weights_ = weights;
  block_largest_ = block_largest;
  whole_ = {.weights = weights,
            .block_largest = block_largest.data(),
            .bracket = {kSmallest, bits_of(1.0f) + 1},
            .sum = total};
  num_kept_ = std::numeric_limits<int64_t>::max();
}

std::optional<double> FallingWeights::keep_first(int64_t num) {
  if (num >= whole_.num()) return std::nullopt;
  const Place beyond = find({.sum = kInfinite, .beyond = false, .num = num + 1});
  if (beyond.weight == 0) return std::nullopt;
  whole_ = split(whole_, {bits_of(beyond.weight), whole_.bracket.limit}, kept_);
  num_kept_ = num;
  return beyond.sum_before;
}

FallingWeights::Place FallingWeights::find(double sum, bool beyond) {
  return find({.sum = sum, .beyond = beyond, .num = num_kept_});
}

int32_t FallingWeights::id_of(const Place& place) const {
  int64_t left = place.num_equal;
  for (size_t block = 0; block < block_largest_.size(); ++block) {
    if (block_largest_[block] < place.weight) continue;
    const float* const weights = &weights_[block * WeighLogits::kBlock];
    const int64_t num_equal = passes_->count_equal(weights, place.weight);
    if (left >= num_equal) {
      left -= num_equal;
      continue;
    }
    int32_t id = 0;
    while (weights[id] != place.weight || left-- > 0) ++id;
    return static_cast<int32_t>(block * WeighLogits::kBlock) + id;
  }
  TERN_CHECK(false, "a place is one of the weights");
  return -1;
}

FallingWeights::Place FallingWeights::find(const Target& target) {
  constexpr int kSampledRounds = 2;
  Part part = whole_;
  if (target.is_rank()) part.bracket.lowest = 0;
  for (int round = 0; part.num() > kFew && !part.bracket.is_one(); ++round)
    part = narrow(part, target, round < kSampledRounds);
  return place_in(part, target);
}

// Returns a smaller part that has the target. Without a sample its bits are those of one bucket, so
// that few rounds remain, whatever the row.
FallingWeights::Part FallingWeights::narrow(const Part& part, const Target& target,
                                            bool by_sample) {
  const Bracket old = part.bracket, bracket = guess(part, target, by_sample);
  const Part inner = split(part, bracket, part_);
  const bool has_above = inner.num_before > part.num_before;
  if (has_above && target.is_reached(inner.sum_before, inner.num_before))
    return split(whole_, {bracket.limit, old.limit}, part_);
  const bool has_below = bracket.lowest > old.lowest;
  if (inner.num() > 0 &&
      (!has_below || target.is_reached(inner.sum_through(), inner.num_through())))
    return inner;
  if (has_below) {
    const Part below = split(whole_, {old.lowest, bracket.lowest}, part_);
    if (below.num() > 0) return below;
  }
  // Nothing reaches the target, as rounding has it: the place is the last.
  return split(whole_, {has_below ? bracket.lowest : bracket.limit, old.limit}, part_);
}

FallingWeights::Part FallingWeights::split(const Part& from, Bracket bracket,
                                           std::vector<float>& to) const {
  const SplitSums sums = passes_->split({.weights = from.weights.data(),
                                         .count = from.num(),
                                         .block_largest = from.block_largest,
                                         .lowest = weight_of(bracket.lowest),
                                         .limit = weight_of(bracket.limit),
                                         .between = to.data()});
  return {.weights = {to.data(), size_t(sums.num_between)},
          .bracket = bracket,
          .sum = sums.sum_between,
          .sum_before = from.sum_before + sums.sum_above,
          .num_before = from.num_before + sums.num_above};
}

// Where in the part the target probably is. The amount below a border is estimated by the sample;
// its variance is that of drawing so many of the part's weights.
FallingWeights::Bracket FallingWeights::guess(const Part& part, const Target& target,
                                              bool by_sample) {
  constexpr double kDeviations = 2;
  const bool counts = target.is_rank();
  const int64_t stride = by_sample ? std::max<int64_t>(1, part.num() / kSampled) : 1;
  const Histogram sample(part.weights, stride, part.bracket.lowest, counts);
  const bool sees_all = stride == 1 || sample.first == sample.last;  // or seems to
  Bracket bracket = sees_all ? Bracket{sample.first, sample.last + 1} : part.bracket;
  const double wanted = counts ? double(part.num_through() - target.num)
                               : part.sum_through() - target.sum;  // below the place
  const auto times = double(stride);
  double below = 0, squares = 0;
  for (size_t bucket = 0; bucket + 1 < sample.num_buckets(); ++bucket) {
    const uint32_t border = sample.end_of(bucket);
    const double share = times * sample.amounts[bucket];
    below += share;
    squares += share * (counts ? 1.0 : double(weight_of(border)));
    const double variance = (times - 1) * (squares - below * below / double(part.num()));
    const double distance = wanted - below;
    if (distance * distance < kDeviations * kDeviations * variance) continue;
    if (distance < 0) {
      bracket.limit = border;
      break;
    }
    bracket.lowest = border;
  }
  return bracket;
}

FallingWeights::Place FallingWeights::place_in(const Part& part, const Target& target) {
  TERN_CHECK(part.num() > 0, "a weight is above 0");
  std::array<float, kFew> sorted{};
  std::span<const float> weights = part.weights;
  int64_t first = 0;
  if (part.bracket.is_one()) {  // all are equal: most of them need no look
    const double num =
        std::min((target.sum - part.sum_before) / weights[0], double(target.num - part.num_before));
    first = int64_t(std::clamp(num - 2, 0.0, double(part.num() - 1)));
  } else {
    const auto end = std::copy(weights.begin(), weights.end(), sorted.begin());
    std::sort(sorted.begin(), end, std::greater<>());
    weights = {sorted.begin(), end};
  }
  Place place{.weight = weights[0],
              .sum_before = part.sum_before + double(first) * weights[0],
              .num_equal = first};
  for (int64_t i = first + 1; i < part.num(); ++i) {
    if (target.is_reached(place.sum(), part.num_before + i)) break;
    place.sum_before = place.sum();
    place.num_equal = weights[i] == place.weight ? place.num_equal + 1 : 0;
    place.weight = weights[i];
  }
  return place;
}

}  // namespace tern
