// A scheduler so small that a test can follow every block of it, and what is done with one in a
// line.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "tests/scheduler/sequences.h"

namespace tern {

using Summary = std::vector<std::pair<uint64_t, int32_t>>;
using Ids = std::vector<uint64_t>;

/// 16 blocks of 4 tokens, 4 sequences and 16 tokens a step.
inline SchedulerConfig small_config() {
  SchedulerConfig config;
  config.max_num_seqs = 4;
  config.max_num_batched_tokens = 16;
  config.num_blocks = 16;
  config.block_size = 4;
  config.max_model_len = 64;
  return config;
}

inline std::unique_ptr<Scheduler> make(const SchedulerConfig& config) {
  auto made = Scheduler::create(config);
  REQUIRE(made.ok());
  return *std::move(made);
}

/// Returns the sequence, which the scheduler owns now.
inline Sequence* add(Scheduler& scheduler, std::unique_ptr<Sequence> seq) {
  Sequence* live = seq.get();
  const Status status = scheduler.add(std::move(seq));
  INFO(status.message());
  REQUIRE(status.ok());
  return live;
}

/// Commits the plan at hand with tokens where they are due.
inline void finish_step(Scheduler& scheduler, const StepPlan& plan) {
  scheduler.commit(results(plan));
  scheduler.check_invariants();
}

}  // namespace tern
