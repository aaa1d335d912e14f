// From examples to a ranker, and to scores that no example has helped to make for itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/ranker/examples.h"
#include "engine/ranker/hashed_ranker.h"
#include "engine/ranker/objective.h"

namespace tern {

/// The same options, examples and program give the same ranker, bit for bit.
struct TrainOptions {
  RankObjective objective = RankObjective::kPairwise;
  double delta = 0.2;  ///< pairs of lengths closer than this are not trained on: [0, 1)
  double margin = 1;   ///< of the pairwise loss, > 0
  int32_t epochs = 12;
  uint64_t seed = 0;
};

/// Where a TrainOptions is out of its range: kInvalidArgument naming it, the limit and the value.
Status check_train_options(const TrainOptions& options);

/// Scores of examples by rankers that have not seen them, nor any of the same prompt.
struct OutOfFold {
  std::vector<float> scores;  ///< comparable: each ranker's scores have mean 0 and deviation 1
  std::vector<double> expected_tokens;  ///< by a curve through the other folds' scores and lengths
  std::vector<int32_t> folds;           ///< by which ranker
};

/// Cuts the examples at random into `num_folds` parts and scores each part by a ranker trained on
/// the others. `split_seed` decides the cut alone. kInvalidArgument where the options are wrong, or
/// num_folds is below 2 or above the number of different prompts.
Result<OutOfFold> cross_fit(const RankSet& set, const TrainOptions& options, int32_t num_folds,
                            uint64_t split_seed);

/// Trains on all examples. The curve goes through out-of-fold scores (5 folds, or as many as there
/// are prompts), because a ranker's scores of what it was trained on are too good. kInvalidArgument
/// where the options are wrong or no two lengths differ by delta.
Result<HashedRanker> train_ranker(const RankSet& set, const TrainOptions& options);

}  // namespace tern
