// The scheduler itself on a virtual clock: steps take what a cost model says, answers have the
// length that is known of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "bench/simulate/load_source.h"
#include "engine/step/sim_step_cost.h"
#include "scheduler/scheduler.h"

namespace tern::bench {

struct SimulationOptions {
  SimStepCost cost;
  /// What every client asks for as max_tokens, less what its context cannot hold; at least the
  /// longest answer. One number for all: were it each answer's own length, policies could read it.
  int32_t max_tokens = 0;
  /// What a ranker says of each row's answer, in tokens (Sequence::expected_output_tokens); empty:
  /// nothing.
  std::span<const double> expected;
  /// Clients say how long each answer will be, and are right (Sequence::hinted_output_tokens).
  bool tells_lengths = false;
  /// llama-server's answer to a full KV cache: everything that runs fails.
  bool fails_all_when_kv_is_full = false;
};

/// What became of one request. Times are seconds since the run's start.
struct SimRecord {
  int32_t row = 0;  ///< of the source
  int32_t num_preemptions = 0;
  double arrival_s = 0;
  double admitted_s = -1;  ///< when the first step began that computes it; -1: never
  double first_token_s = -1, end_s = -1;
  bool completed = false;

  double wait_s() const { return admitted_s - arrival_s; }
  double ttft_s() const { return first_token_s - arrival_s; }
  double e2el_s() const { return end_s - arrival_s; }
};

struct SimOutcome {
  std::vector<SimRecord> records;  ///< in the order of the arrivals
  SchedulerStats stats;
  double end_s = 0;   ///< when the last step ended
  double busy_s = 0;  ///< sum of the steps
};

/// Serves `arrivals` (in order of time; `source` has their rows) by `scheduler`, which is new.
/// Prompts with equal block names have equal
/// tokens, all others differ from their first on. kInvalidArgument where the scheduler refuses a
/// request, naming it; kInternal where its policy leaves it idle while requests wait.
Result<SimOutcome> simulate(std::unique_ptr<Scheduler> scheduler, const LoadSource& source,
                            std::span<const SimArrival> arrivals, const SimulationOptions& options);

}  // namespace tern::bench
