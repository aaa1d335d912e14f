// The heap while the scheduler plans: neither schedule() nor commit() may take memory.
#include <catch2/catch.hpp>

#include "tests/scheduler/sequences.h"
#include "tests/support/count_allocations.h"

namespace tern {
namespace {

TEST_CASE("a step of decodes allocates nothing, nor does a long prefill", "[scheduler]") {
  SchedulerConfig config;
  config.num_blocks = 64;
  config.block_size = 4;
  config.max_model_len = 256;
  config.max_num_seqs = 4;
  config.max_num_batched_tokens = 8;
  config.enable_prefix_caching = GENERATE(false, true);
  config.num_state_slots = GENERATE(0, 8);
  auto made = Scheduler::create(config);
  REQUIRE(made.ok());
  Scheduler& scheduler = **made;
  for (const uint64_t id : {1, 2, 3}) {
    REQUIRE(scheduler.add(sequence(id, tokens(2, 100 * id), 60)).ok());
  }
  REQUIRE(scheduler.add(sequence(4, tokens(90, 900), 9)).ok());
  while (scheduler.stats().num_running < 4) {
    const StepPlan& plan = scheduler.schedule(at(0));
    scheduler.commit(results(plan));
  }

  StepResult result;
  int num_steps = 0;
  while (scheduler.stats().num_used_blocks < 40) {
    const uint64_t before = test::num_allocations();
    const StepPlan& plan = scheduler.schedule(at(0));
    const uint64_t scheduled = test::num_allocations();
    result = results(plan);
    const uint64_t resumed = test::num_allocations();
    const auto ended = scheduler.commit(result);
    REQUIRE(ended.empty());
    CHECK(scheduled == before);
    CHECK(test::num_allocations() == resumed);
    ++num_steps;
  }
  CHECK(num_steps > 15);
}

}  // namespace
}  // namespace tern
