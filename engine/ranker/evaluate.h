// How good a ranker is: by a file of examples, or by rankers trained on parts of it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/ranker/examples.h"
#include "engine/ranker/metrics.h"
#include "engine/ranker/train.h"

namespace tern {

struct RankQuality {
  std::vector<double> tau_by_fold;  ///< kendall_tau_b() of scores and lengths of each part
  double tau = 0;                   ///< their mean
  double pair_accuracy = 0;         ///< mean over the parts
  std::vector<CalibrationBin>
      calibration;  ///< deciles of the expected tokens, of all parts together
};

/// Judges scores as they stand: the examples are one part.
RankQuality judge(const Ranker& ranker, std::span<const RankExample> examples, double delta);

/// Judges cross_fit(), run `num_shuffles` times with another cut each; parts are the folds of each.
/// Told of its progress, 0 to 1. Errors of cross_fit().
Result<RankQuality> cross_validate(const RankSet& set, const TrainOptions& options,
                                   int32_t num_folds, int32_t num_shuffles,
                                   const std::function<void(double)>& progress);

}  // namespace tern
