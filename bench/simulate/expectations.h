// What policies are told of answers that nobody has seen yet.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "bench/simulate/load_source.h"
#include "scheduler/ranker.h"

namespace tern::bench {

/// One row's expected answer each, in tokens.
struct Expectation {
  std::vector<double> tokens;
  double tau = 0;  ///< Kendall's τ-b of them with the true lengths
};

/// Lengths in the order of log(length) + σ · N(0, 1), with the σ that gives the wanted τ-b, found
/// by bisection; each is the true length that has its rank, so that they are on the true scale. The
/// draws are functions of the seed. kInvalidArgument where `tau` is not in [0, 1], or is not met
/// within 0.01, as with few or mostly equal lengths.
Result<Expectation> noisy_expectation(const LoadSource& source, double tau, uint64_t seed);

/// Each prompt by a hashed ranker that was trained on the other `num_folds` - 1 folds and saw it
/// neither there nor elsewhere. kInvalidArgument where rows lack prompts or are too few.
Result<Expectation> cross_fitted_expectation(const LoadSource& source, int32_t num_folds,
                                             uint64_t seed);

/// Each prompt by this ranker. kInvalidArgument where rows lack prompts.
Result<Expectation> ranked_expectation(const LoadSource& source, const Ranker& ranker);

}  // namespace tern::bench
