// Engine speed without a server: prefill and decode by batch size.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/load/loader.h"

namespace tern {

struct BenchStepOptions {
  std::string model;
  std::string compute = "default";
  int32_t num_threads = 0;  ///< 0 = all CPUs
  std::string device = "cpu";
  int32_t prefill = 128;  ///< prompt tokens of each sequence
  int32_t decode = 128;   ///< tokens each sequence generates
  std::vector<int32_t> batch{1, 4, 16};
  float temperature = 0;  ///< of every sequence; 0 = greedy
  float top_p = 1;
  int32_t top_k = 0;
  int32_t repeat = 5;
  uint64_t seed = 1;
  ProgressFn on_load;    ///< may be empty
  bool profile = false;  ///< also times every kernel of the decode steps
  bool dram = false;     ///< also measures how fast memory is read, in every round
};

/// Drives the engine's own loop (scheduler, forward, sampling) on random prompts. The batch sizes
/// take turns within a repeat, so that a noisy neighbour hits all of them. Keys: rows[{phase,
/// batch, tokens_per_s (median), best_tokens_per_s, p50_ms, min_ms, step_tokens, step_sequences
/// (what the median step computes)}], cpu, isa, threads; decode rows have forward_ms and
/// sampling_ms, the medians of the steps' forward passes and of turning logits into tokens; with
/// `profile` a decode row has kernels[{op, kernel, calls, us}] of the quickest step by its kernels,
/// kernels_us (their sum) and beyond_kernels_us (what that step took besides). With `dram`
/// dram_gb_per_s (the median of the rounds' best passes) and, in decode rows, gb_per_s (all
/// weights, once in the median step) and dram_share.
Result<nlohmann::json> bench_step(const BenchStepOptions& options,
                                  const std::function<void(double)>& progress);

}  // namespace tern
