// From measured steps to the cost model of simulations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/step/sim_step_cost.h"

namespace tern::bench {

/// What steps of one kind took.
struct MeasuredStep {
  double num_tokens = 0, num_sequences = 0;
  double seconds = 0;  ///< over 0
};

struct StepCostFit {
  SimStepCost cost;
  size_t num_steps = 0;
  /// The error is (model - measured) / measured: its root mean square, and the largest.
  double rms_error = 0, max_error = 0;
  /// Every step had as many tokens as sequences: what a token costs and what a sequence costs
  /// cannot be told apart, and all of it counts for the sequences.
  bool lacks_prefill = false;
};

/// The cost with no negative part that has the least sum of squared relative errors.
/// kInvalidArgument of no steps.
Result<StepCostFit> fit_step_cost(const std::vector<MeasuredStep>& steps);

/// Fits what `tern bench step --json` has written. Prefill rows without `step_tokens` and
/// `step_sequences` do not count. kInvalidArgument names the file.
Result<StepCostFit> read_step_cost(const std::string& path);
Result<StepCostFit> parse_step_cost(std::string_view text, const std::string& source);

}  // namespace tern::bench
