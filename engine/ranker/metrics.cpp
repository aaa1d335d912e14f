#include "engine/ranker/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "base/check.h"
#include "engine/ranker/objective.h"

namespace tern {
namespace {

// Counts of ranks seen so far, by prefix sums (Fenwick's tree).
class RankCounts {
 public:
  explicit RankCounts(size_t num_ranks) : tree_(num_ranks + 1) {}

  void add(size_t rank) {
    for (size_t i = rank + 1; i < tree_.size(); i += i & (~i + 1)) ++tree_[i];
  }

  // How many of a rank below `rank` there are.
  int64_t below(size_t rank) const {
    int64_t sum = 0;
    for (size_t i = rank; i > 0; i -= i & (~i + 1)) sum += tree_[i];
    return sum;
  }

 private:
  std::vector<int64_t> tree_;
};

// The rank of each value among the different ones, from 0.
std::vector<size_t> dense_ranks(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<size_t> ranks;
  for (const double v : values)
    ranks.push_back(size_t(std::lower_bound(sorted.begin(), sorted.end(), v) - sorted.begin()));
  return ranks;
}

template <class Less>
std::vector<size_t> sorted_order(size_t n, const Less& less) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), less);
  return order;
}

int64_t pairs(int64_t n) {
  return n * (n - 1) / 2;
}

}  // namespace

double kendall_tau_b(std::span<const double> a, std::span<const double> b) {
  TERN_CHECK(a.size() == b.size(), "two rankings of the same items");
  const auto n = int64_t(a.size());
  const std::vector<size_t> ranks_a = dense_ranks(a), ranks_b = dense_ranks(b);
  const std::vector<size_t> order =
      sorted_order(a.size(), [&](size_t i, size_t j) { return ranks_a[i] < ranks_a[j]; });
  std::vector<int64_t> ties_b(a.size());
  int64_t tied_a = 0, tied_b = 0, difference = 0;  // concordant less discordant
  RankCounts seen(a.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && ranks_a[order[end]] == ranks_a[order[begin]]) ++end;
    for (size_t k = begin; k < end; ++k) {  // against all of a smaller a
      const size_t rank = ranks_b[order[k]];
      difference += seen.below(rank) - (int64_t(begin) - seen.below(rank + 1));
    }
    for (size_t k = begin; k < end; ++k) {
      seen.add(ranks_b[order[k]]);
      ++ties_b[ranks_b[order[k]]];
    }
    tied_a += pairs(int64_t(end - begin));
    begin = end;
  }
  for (const int64_t count : ties_b) tied_b += pairs(count);
  const double untied_a = double(pairs(n) - tied_a), untied_b = double(pairs(n) - tied_b);
  if (untied_a <= 0 || untied_b <= 0) return 0;
  return double(difference) / std::sqrt(untied_a * untied_b);
}

double pair_accuracy(std::span<const double> scores, std::span<const double> lengths,
                     double delta) {
  TERN_CHECK(scores.size() == lengths.size(), "a score for each length");
  const std::vector<size_t> ranks = dense_ranks(scores);
  const std::vector<size_t> order =
      sorted_order(lengths.size(), [&](size_t i, size_t j) { return lengths[i] < lengths[j]; });
  RankCounts shorter(scores.size());
  size_t num_shorter = 0;
  int64_t num_pairs = 0, twice_right = 0;
  for (const size_t longer : order) {
    // Those that pass with this one pass with every longer one.
    while (num_shorter < order.size() &&
           passes_delta(lengths[order[num_shorter]], lengths[longer], delta) &&
           lengths[order[num_shorter]] < lengths[longer])
      shorter.add(ranks[order[num_shorter++]]);
    num_pairs += int64_t(num_shorter);
    twice_right += shorter.below(ranks[longer]) + shorter.below(ranks[longer] + 1);
  }
  return num_pairs == 0 ? 0.5 : double(twice_right) / double(2 * num_pairs);
}

std::vector<CalibrationBin> calibration(std::span<const double> predicted,
                                        std::span<const double> actual, int num_bins) {
  TERN_CHECK(predicted.size() == actual.size(), "a prediction for each length");
  const std::vector<size_t> order = sorted_order(
      predicted.size(), [&](size_t i, size_t j) { return predicted[i] < predicted[j]; });
  const size_t bins = std::min(size_t(std::max(num_bins, 0)), order.size());
  std::vector<CalibrationBin> result(bins);
  for (size_t bin = 0; bin < bins; ++bin) {
    const size_t begin = order.size() * bin / bins, end = order.size() * (bin + 1) / bins;
    for (size_t k = begin; k < end; ++k) {
      result[bin].predicted += predicted[order[k]] / double(end - begin);
      result[bin].actual += actual[order[k]] / double(end - begin);
    }
    result[bin].count = int64_t(end - begin);
  }
  return result;
}

}  // namespace tern
