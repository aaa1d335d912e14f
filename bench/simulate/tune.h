// The best value of a key of the configuration, by simulation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/simulate/experiment.h"

namespace tern::bench {

/// A figure that must not be worse than a value: at most that, or at least, where more is better.
struct FigureBound {
  const FigureKey* figure = nullptr;
  double value = 0;

  bool is_kept(const Figures& figures) const;
};

/// "max_wait_ms=30000"; the name of a time may end with its unit or have none, and then the value
/// has one: max_wait=30s. kInvalidArgument lists the figures, or says what the value must be.
Result<FigureBound> parse_bound(const std::string& text);

/// A figure's name, with or without "_ms". kInvalidArgument lists those that exist.
Result<const FigureKey*> parse_objective(const std::string& text);

struct TuneRange {
  std::string key;  ///< of the policy, or max_num_seqs, max_num_batched_tokens, max_preemptions
  double lowest = 0, highest = 0;
  int32_t num_steps = 9;  ///< values of the first round, both ends among them
};

/// "starve_quota=0:1:11", the last part may lack. kInvalidArgument where it is none.
Result<TuneRange> parse_tune_range(const std::string& text);

struct TuneOptions {
  TuneRange range;
  const FigureKey* objective = nullptr;
  std::vector<FigureBound> bounds;
};

struct TunePoint {
  double value = 0;
  Figures figures;  ///< medians over the seeds
  bool keeps_bounds = false;
};

struct TuneResult {
  std::string path;              ///< of the key in a daemon's YAML: "policy.starve_quota"
  std::vector<TunePoint> curve;  ///< ascending values
  /// Index into curve; none where no value keeps the bounds, or changes_nothing.
  std::optional<size_t> best;
  /// Every value keeps the bounds, and gives the same objective within a share of 1e-9.
  bool changes_nothing = false;
};

/// Runs the experiment, which has one policy and at most one load, with values of the key: `range`
/// in equal steps (in equal ratios where the highest is at least 100 times the lowest), then as
/// many again between the neighbours of the best one, where the first round shows a difference.
/// Whole numbers where the key takes no others. Of equal values the lowest counts. kInvalidArgument
/// where the policy has no such key or refuses a value.
Result<TuneResult> tune(const Experiment& experiment, const TuneOptions& options,
                        const std::function<void(double)>& progress);

}  // namespace tern::bench
