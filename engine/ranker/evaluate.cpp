#include "engine/ranker/evaluate.h"

#include <numeric>

namespace tern {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

// What is known of some examples, side by side.
struct Judged {
  std::vector<double> scores, lengths, expected;

  void add(double score, double length, double expected_tokens) {
    scores.push_back(score);
    lengths.push_back(length);
    expected.push_back(expected_tokens);
  }
};

}  // namespace

RankQuality judge(const Ranker& ranker, std::span<const RankExample> examples, double delta) {
  Judged all;
  for (const RankExample& example : examples) {
    const float score = ranker.score({example.prompt, 1});
    all.add(score, example.length, ranker.expected_output_tokens(score));
  }
  const double tau = kendall_tau_b(all.scores, all.lengths);
  return {.tau_by_fold = {tau},
          .tau = tau,
          .pair_accuracy = pair_accuracy(all.scores, all.lengths, delta),
          .calibration = calibration(all.expected, all.lengths)};
}

Result<RankQuality> cross_validate(const RankSet& set, const TrainOptions& options,
                                   int32_t num_folds, int32_t num_shuffles,
                                   const std::function<void(double)>& progress) {
  RankQuality quality;
  std::vector<double> accuracies;
  Judged all;
  for (int32_t shuffle = 0; shuffle < num_shuffles; ++shuffle) {
    progress(double(shuffle) / num_shuffles);
    TERN_ASSIGN(const OutOfFold out,
                cross_fit(set, options, num_folds, options.seed + uint64_t(shuffle)));
    for (int32_t fold = 0; fold < num_folds; ++fold) {
      Judged part;
      for (size_t row = 0; row < set.size(); ++row) {
        if (out.folds[row] != fold) continue;
        part.add(out.scores[row], set.lengths[row], out.expected_tokens[row]);
        all.add(out.scores[row], set.lengths[row], out.expected_tokens[row]);
      }
      quality.tau_by_fold.push_back(kendall_tau_b(part.scores, part.lengths));
      accuracies.push_back(pair_accuracy(part.scores, part.lengths, options.delta));
    }
  }
  quality.tau = mean(quality.tau_by_fold);
  quality.pair_accuracy = mean(accuracies);
  quality.calibration = calibration(all.expected, all.lengths);
  return quality;
}

}  // namespace tern
