#include "engine/ranker/train.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "base/rng.h"

namespace tern {
namespace {

constexpr int32_t kCurveFolds = 5;
constexpr int32_t kMaxEpochs = 10000;

// PARS keeps ten pairs of each row that pass the filter, and draws at most a hundred for that.
constexpr int32_t kPartners = 10;
constexpr int32_t kDraws = 100;
constexpr size_t kBatch = 128;  // pairs, or rows, or the rows of a list

// Numbers of a seed, one after the other.
class Draws {
 public:
  explicit Draws(uint64_t seed) : seed_(seed) {}

  size_t below(size_t n) { return size_t(random_bits(seed_, RngStream::kTraining, next_++) % n); }

  void shuffle(std::vector<uint32_t>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  const uint64_t seed_;
  uint64_t next_ = 0;
};

using Rows = std::vector<uint32_t>;

size_t num_groups(const RankSet& set) {
  return set.groups.empty() ? 0 : 1 + *std::max_element(set.groups.begin(), set.groups.end());
}

// What one epoch goes through: pairs that pass the δ filter, two rows each, or every row as often
// as it would be in such pairs.
Rows draw_epoch(const RankSet& set, Rows rows, const TrainOptions& options, Draws& draws) {
  Rows drawn;
  if (options.objective != RankObjective::kPairwise) {
    for (int32_t i = 0; i < kPartners; ++i) {
      draws.shuffle(rows);
      drawn.insert(drawn.end(), rows.begin(), rows.end());
    }
    return drawn;
  }
  draws.shuffle(rows);
  for (int32_t i = 0; i < kPartners; ++i)
    for (const uint32_t row : rows)
      for (int32_t draw = 0; draw < kDraws / kPartners; ++draw) {
        const uint32_t partner = rows[draws.below(rows.size())];
        if (!passes_delta(set.lengths[row], set.lengths[partner], options.delta)) continue;
        drawn.insert(drawn.end(), {row, partner});
        break;
      }
  return drawn;
}

// Weights that fall along gradients by AdaGrad (Duchi, Hazan and Singer, JMLR 12, 2011), at a rate
// that falls to 0, and their mean over the second half of the way. Only buckets that some row has
// get a place here: a small set has a tenth of them.
class Weights {
 public:
  Weights(const RankSet& set, const Rows& rows) : rows_(set.size()) {
    std::vector<uint32_t> column_of(kNumFeatureBuckets, kNoColumn);
    for (const uint32_t row : rows)
      for (const Feature& f : set.features[row]) {
        uint32_t& column = column_of[f.bucket];
        if (column == kNoColumn) {
          column = uint32_t(buckets_.size());
          buckets_.push_back(f.bucket);
        }
        rows_[row].push_back({column, f.value});
      }
    values_.resize(buckets_.size());
    sums_ = squares_ = gradient_ = values_;
  }

  double score(uint32_t row) const { return dot(values_, row); }
  double mean_score(uint32_t row) const { return dot(sums_, row) / std::max(num_summed_, 1.0); }

  // A step along `slopes`, the derivatives by the scores of `batch`; `progress`, from 0 to 1, is
  // the share of the way that lies behind.
  void step(std::span<const uint32_t> batch, std::span<const double> slopes, double progress) {
    for (size_t c = 0; c < values_.size(); ++c) gradient_[c] = kL2 * values_[c];
    for (size_t i = 0; i < batch.size(); ++i) {
      if (slopes[i] == 0) continue;
      for (const Entry& e : rows_[batch[i]]) gradient_[e.column] += slopes[i] * e.value;
    }
    const double rate = kRate * (1 - progress);
    for (size_t c = 0; c < values_.size(); ++c) {
      const double g = gradient_[c];
      squares_[c] += g * g;
      values_[c] -= rate * g / std::sqrt(squares_[c] + kTiny);
    }
    if (progress < 0.5) return;
    num_summed_ += 1;
    for (size_t c = 0; c < values_.size(); ++c) sums_[c] += values_[c];
  }

  // The mean times `scale`, by bucket.
  std::vector<float> mean(double scale) const {
    std::vector<float> weights(kNumFeatureBuckets);
    for (size_t c = 0; c < sums_.size(); ++c)
      weights[buckets_[c]] = float(sums_[c] / std::max(num_summed_, 1.0) * scale);
    return weights;
  }

 private:
  static constexpr double kRate = 0.1, kL2 = 1e-4, kTiny = 1e-8;
  static constexpr uint32_t kNoColumn = UINT32_MAX;

  struct Entry {
    uint32_t column;
    float value;
  };

  double dot(const std::vector<double>& weights, uint32_t row) const {
    double sum = 0;
    for (const Entry& e : rows_[row]) sum += weights[e.column] * e.value;
    return sum;
  }

  std::vector<std::vector<Entry>> rows_;  // of those trained on, by their number in the set
  std::vector<uint16_t> buckets_;         // of each column
  std::vector<double> values_, sums_, squares_, gradient_;
  double num_summed_ = 0;
};

// Weights whose scores of the rows they were trained on have the deviation 1, and the mean of
// these.
struct Fit {
  std::vector<float> weights;
  double mean_score = 0;

  double score(const std::vector<Feature>& features) const {
    double sum = 0;
    for (const Feature& f : features) sum += double(weights[f.bucket]) * f.value;
    return sum;
  }
};

Fit standardized(const Weights& weights, const Rows& rows) {
  double sum = 0, squares = 0;
  for (const uint32_t row : rows) sum += weights.mean_score(row);
  const double mean = sum / double(rows.size());
  for (const uint32_t row : rows) squares += std::pow(weights.mean_score(row) - mean, 2);
  const double deviation = std::sqrt(squares / double(rows.size()));
  const double scale = deviation > 1e-9 ? 1 / deviation : 0;
  return {weights.mean(scale), mean * scale};
}

double loss_of(const TrainOptions& options, double offset, std::span<const double> scores,
               std::span<const double> lengths, std::span<double> slopes) {
  switch (options.objective) {
    case RankObjective::kPairwise:
      return hinge_loss(scores, lengths, options.margin, slopes);
    case RankObjective::kPointwise:
      return log_length_loss(scores, lengths, offset, slopes);
    case RankObjective::kListwise:
      return list_mle_loss(scores, lengths, slopes);
  }
  return 0;
}

Fit fit(const RankSet& set, const Rows& rows, const TrainOptions& options) {
  Draws draws(options.seed);
  Weights weights(set, rows);
  double offset = 0;
  for (const uint32_t row : rows) offset += std::log1p(set.lengths[row]) / double(rows.size());
  const size_t batch_rows = options.objective == RankObjective::kPairwise ? 2 * kBatch : kBatch;
  std::vector<double> scores, lengths, slopes;
  for (int32_t epoch = 0; epoch < options.epochs; ++epoch) {
    const Rows drawn = draw_epoch(set, rows, options, draws);
    for (size_t begin = 0; begin < drawn.size(); begin += batch_rows) {
      const auto batch =
          std::span(drawn).subspan(begin, std::min(batch_rows, drawn.size() - begin));
      scores.clear(), lengths.clear();
      for (const uint32_t row : batch) {
        scores.push_back(weights.score(row));
        lengths.push_back(set.lengths[row]);
      }
      slopes.assign(batch.size(), 0);
      loss_of(options, offset, scores, lengths, slopes);
      weights.step(batch, slopes, (epoch + double(begin) / double(drawn.size())) / options.epochs);
    }
  }
  return standardized(weights, rows);
}

// The fold of each row: prompts in random order, dealt out one by one.
std::vector<int32_t> deal_folds(const RankSet& set, int32_t num_folds, uint64_t seed) {
  Rows order(num_groups(set));
  std::iota(order.begin(), order.end(), 0u);
  Draws(seed).shuffle(order);
  std::vector<int32_t> fold_of_group(order.size()), folds;
  for (size_t i = 0; i < order.size(); ++i)
    fold_of_group[order[i]] = int32_t(i % size_t(num_folds));
  for (const uint32_t group : set.groups) folds.push_back(fold_of_group[group]);
  return folds;
}

std::vector<double> lengths_through_other_folds(const RankSet& set, const OutOfFold& out,
                                                int32_t num_folds) {
  std::vector<double> expected(set.size());
  for (int32_t fold = 0; fold < num_folds; ++fold) {
    std::vector<float> scores;
    std::vector<double> lengths;
    for (size_t row = 0; row < set.size(); ++row)
      if (out.folds[row] != fold) {
        scores.push_back(out.scores[row]);
        lengths.push_back(set.lengths[row]);
      }
    const LengthCurve curve = LengthCurve::fit(scores, lengths);
    for (size_t row = 0; row < set.size(); ++row)
      if (out.folds[row] == fold) expected[row] = curve.tokens(out.scores[row]);
  }
  return expected;
}

std::string out_of_range(const char* name, const std::string& rule, double value) {
  std::ostringstream text;
  text << name << ": must be " << rule << ", is " << value;
  return text.str();
}

}  // namespace

Status check_train_options(const TrainOptions& options) {
  if (!(options.delta >= 0 && options.delta < 1))
    return invalid_argument(out_of_range("delta", "at least 0 and below 1", options.delta));
  if (!(options.margin > 0 && options.margin <= 1000))
    return invalid_argument(out_of_range("margin", "above 0, at most 1000", options.margin));
  if (options.epochs < 1 || options.epochs > kMaxEpochs)
    return invalid_argument(
        out_of_range("epochs", "1 to " + std::to_string(kMaxEpochs), options.epochs));
  return {};
}

Result<OutOfFold> cross_fit(const RankSet& set, const TrainOptions& options, int32_t num_folds,
                            uint64_t split_seed) {
  TERN_TRY(check_train_options(options));
  if (num_folds < 2 || size_t(num_folds) > num_groups(set))
    return invalid_argument(out_of_range(
        "folds", "2 to the number of different prompts, " + std::to_string(num_groups(set)),
        num_folds));
  OutOfFold out;
  out.folds = deal_folds(set, num_folds, split_seed);
  out.scores.resize(set.size());
  for (int32_t fold = 0; fold < num_folds; ++fold) {
    Rows rows;
    for (uint32_t row = 0; row < set.size(); ++row)
      if (out.folds[row] != fold) rows.push_back(row);
    const Fit fitted = fit(set, rows, options);
    for (uint32_t row = 0; row < set.size(); ++row)
      if (out.folds[row] == fold)
        out.scores[row] = float(fitted.score(set.features[row]) - fitted.mean_score);
  }
  out.expected_tokens = lengths_through_other_folds(set, out, num_folds);
  return out;
}

Result<HashedRanker> train_ranker(const RankSet& set, const TrainOptions& options) {
  TERN_TRY(check_train_options(options));
  const auto [shortest, longest] = std::minmax_element(set.lengths.begin(), set.lengths.end());
  if (set.size() < 2 || !passes_delta(*shortest, *longest, options.delta))
    return invalid_argument(
        "no two lengths differ by the share delta: nothing tells which is longer");
  Rows rows(set.size());
  std::iota(rows.begin(), rows.end(), 0u);
  const Fit fitted = fit(set, rows, options);
  std::vector<float> scores(set.size(), float(fitted.mean_score));
  if (const auto num_folds = int32_t(std::min(size_t(kCurveFolds), num_groups(set)));
      num_folds > 1) {
    TERN_ASSIGN(const OutOfFold out, cross_fit(set, options, num_folds, options.seed));
    for (size_t row = 0; row < set.size(); ++row) scores[row] += out.scores[row];
  }
  return HashedRanker::make(fitted.weights, LengthCurve::fit(scores, set.lengths));
}

}  // namespace tern
