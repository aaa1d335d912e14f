// Policies side by side: the same requests, slots and memory for each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/simulate/figures.h"
#include "bench/simulate/load_source.h"
#include "bench/simulate/sim_policy.h"
#include "bench/simulate/simulator.h"

namespace tern::bench {

struct Experiment {
  LoadSource source;
  std::vector<SimPolicy> policies;
  std::vector<double> loads;   ///< shares of `capacity`; empty: `rate`, or the source's own times
  std::optional<double> rate;  ///< requests a second
  double capacity = 0;         ///< requests a second; see capacity_of()
  double burstiness = 1;
  uint64_t num_requests = 0;
  std::vector<uint64_t> seeds;   ///< at least one
  SchedulerConfig scheduler;     ///< all but the policy
  SimulationOptions simulation;  ///< but for what policies are told
  FigureOptions figures;
  /// What is told to policies of each row's answer, in tokens, in the runs with each seed; empty:
  /// nothing. `oracle` alone has the truth.
  std::vector<std::vector<double>> expected;
  int num_threads = 1;         ///< the results are the same for any number
  bool keeps_records = false;  ///< with the records of the first seed's runs, for plots
};

/// What a full batch of `num_slots` decoding sequences can end at most: slots / (mean length × step
/// time), requests a second. Prompts are not in it.
double capacity_of(const LoadSource& source, int32_t num_slots, const SimStepCost& cost);

/// One policy under one load, with one seed.
struct ExperimentRow {
  size_t policy = 0;           ///< index into Experiment::policies
  std::optional<double> load;  ///< unset where the experiment has none
  uint64_t seed = 0;
  Figures figures;
  std::vector<SimRecord> records;  ///< where they are kept
};

/// The medians over the seeds.
struct ExperimentMedian {
  size_t policy = 0;
  std::optional<double> load;
  Figures figures;
};

struct ExperimentResult {
  std::vector<ExperimentRow> rows;        ///< by load, then policy, then seed
  std::vector<ExperimentMedian> medians;  ///< by load, then policy
};

/// Runs each policy under each load with each seed. `progress` is told the share that is done, by
/// one thread at a time; it may be empty. kInvalidArgument as make_scheduler() and simulate() say.
Result<ExperimentResult> run_experiment(const Experiment& experiment,
                                        const std::function<void(double)>& progress);

}  // namespace tern::bench
