// A simulation as JSON, as tables and as pictures.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/simulate/experiment.h"
#include "bench/simulate/step_cost_fit.h"
#include "bench/simulate/tune.h"

namespace tern::bench {

/// How well what was told to the policies orders the true lengths.
struct RankInfo {
  std::string from;       ///< "noise", "cross-fitted" or what names a ranker
  bool is_named = false;  ///< whether `from` is what `scheduler.ranker` may be
  double tau = 0;         ///< Kendall's τ-b, the mean over the seeds
};

struct SimulationReport {
  const Experiment& experiment;
  std::optional<StepCostFit> fit;  ///< where the step cost is measured
  std::optional<RankInfo> rank;
};

/// Keys: rows[{policy, load, seed, and the figures by their names}], medians[{policy, load, the
/// same figures, per_token_gain, e2el_gain: the first policy's mean / this one's}], `logged`
/// {the same figures as a log tells them, where it is simulated at its own times}, and what was
/// simulated: source, num_requests, mean_output_tokens, capacity, rate, step_cost{base_ms,
/// per_token_ms, per_sequence_ms}, scheduler{…}, without_scores[] (policies that read a ranker's
/// scores and were told none). No time of day and no duration of the computation:
/// equal runs give equal documents.
nlohmann::json to_json(const SimulationReport& report, const ExperimentResult& result);

/// The same of a key that was tuned: key, objective, bounds, best (or null), changes_nothing,
/// curve[{value, keeps_bounds, and the figures}], yaml.
nlohmann::json to_json(const SimulationReport& report, const TuneOptions& options,
                       const TuneResult& result);

/// The lines that an operator puts into a configuration for what was simulated: the policy with
/// all keys that were set, the ranker where there was one, and the best value of the tuned key.
/// No daemon has another engine's policy: of such a run, a key of the scheduler alone. Empty where
/// there is no best value.
std::string yaml_of(const SimulationReport& report, const TuneResult& result);

/// The medians as a table for people, one for each load.
std::string to_table(const SimulationReport& report, const ExperimentResult& result);
std::string to_table(const SimulationReport& report, const TuneOptions& options,
                     const TuneResult& result);

/// Makes the directory, and writes latency.svg into it, or one for each load (latency-1.1.svg):
/// the share of the first seed's requests below a latency per token, a TTFT and an E2E latency, for
/// each policy. Where there are several loads, load.svg: the medians over the load.
Status write_plots(const std::string& directory, const SimulationReport& report,
                   const ExperimentResult& result);

/// tune.svg: the objective, and what is bounded, over the key's values.
Status write_plots(const std::string& directory, const SimulationReport& report,
                   const TuneOptions& options, const TuneResult& result);

}  // namespace tern::bench
