// What a scheduling decision costs.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/status.h"

namespace tern {

struct BenchSchedulerOptions {
  std::vector<std::string> policies;  ///< empty = all
  std::vector<int32_t> waiting{10'000};
  int32_t steps = 2000;  ///< that are timed, for each policy and number of waiting
  int32_t num_running = 32;
  int32_t prompt_tokens = 64;
  uint64_t seed = 1;
};

/// Drives the real scheduler without a model. Each step one sequence finishes, one is admitted, one
/// that waits is scored anew and one comes, so that as many wait as before; the time is that of
/// rescore(), schedule(), commit() and add() together. A quarter of the prompts begin with one of
/// 16 shared prefixes, which the prefix cache holds. Keys: rows[{policy, waiting, p50_us, p99_us}],
/// cpu. kInvalidArgument for an unknown policy.
Result<nlohmann::json> bench_scheduler(const BenchSchedulerOptions& options,
                                       const std::function<void(double)>& progress);

}  // namespace tern
