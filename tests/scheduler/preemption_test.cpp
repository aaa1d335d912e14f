// Who gives way when blocks are short, and how it comes back.
#include <catch2/catch.hpp>

#include "tests/scheduler/small_scheduler.h"

namespace tern {
namespace {

// Three blocks of 4; two sequences that need two each and then a third.
struct Pressure {
  explicit Pressure(SchedulerConfig config = small_config()) {
    config.num_blocks = 3;
    scheduler = make(config);
    first = add(*scheduler, sequence(1, tokens(4), 5));
    second = add(*scheduler, sequence(2, tokens(4, 500), 5));
    step(*scheduler);  // both prefilled, one block each, both now need another
  }
  std::unique_ptr<Scheduler> scheduler;
  Sequence* first;
  Sequence* second;
};

TEST_CASE("the last of the policy's order gives way and resumes from the cache",
          "[scheduler][preemption][EC-12]") {
  Pressure p;
  Scheduler& s = *p.scheduler;
  const StepPlan& plan = s.schedule(at(0));  // one block is left: sequence 1 takes it
  CHECK(plan.preempted == Ids{2});
  CHECK(summary(plan) == Summary{{1, 1}});
  CHECK(p.second->state == SequenceState::kWaiting);
  CHECK(p.second->block_table.empty());
  CHECK(p.second->num_computed_tokens == 0);
  CHECK(p.second->num_preemptions == 1);
  CHECK(s.stats().num_cached_blocks == 1);
  CHECK(s.stats().num_waiting_tokens == 5);
  finish_step(s, plan);

  s.schedule(at(0));  // does not fit beside sequence 1: 2 blocks, 1 of them its own cached one
  CHECK(summary(plan) == Summary{{1, 1}});
  CHECK(plan.preempted.empty());
  finish_step(s, plan);
  while (p.second->state == SequenceState::kWaiting) {
    s.schedule(at(0));
    if (p.second->state == SequenceState::kRunning) break;
    finish_step(s, plan);
  }
  CHECK(p.second->num_computed_tokens == 4);  // its published block survived
  CHECK(p.second->num_cached_tokens == 0);    // of the first admission
  finish_step(s, plan);
  CHECK(p.second->num_recomputed_tokens == 0);
  CHECK(run_all(s) == Ids{2});
  CHECK(s.stats().num_preemptions == 1);
}

TEST_CASE("without a cache the victim recomputes, and it is counted", "[scheduler][preemption]") {
  SchedulerConfig config = small_config();
  config.enable_prefix_caching = false;
  Pressure p(config);
  Scheduler& s = *p.scheduler;
  std::vector<std::unique_ptr<Sequence>> all;
  while (s.has_work()) {
    for (auto& seq : step(s)) all.push_back(std::move(seq));
  }
  REQUIRE(all.size() == 2);
  CHECK(all[0]->id == 1);
  CHECK(all[1]->num_recomputed_tokens == 4);
  CHECK(all[1]->num_output_tokens() == 5);
  CHECK(s.stats().num_recomputed_tokens == 4);
}

TEST_CASE("a worse class gives way, even if it was admitted first", "[scheduler][preemption]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 3;
  config.policy.name = "priority";
  const auto s = make(config);
  auto bulk = sequence(1, tokens(4), 5);
  bulk->priority = PriorityClass::kBulk;
  add(*s, std::move(bulk));
  step(*s);
  auto urgent = sequence(2, tokens(4, 500), 5);
  urgent->priority = PriorityClass::kSystem;
  add(*s, std::move(urgent));
  const StepPlan& plan = s->schedule(at(0));
  CHECK(summary(plan) == Summary{{1, 1}, {2, 4}});  // the pool is full
  finish_step(*s, plan);
  s->schedule(at(0));
  CHECK(plan.preempted == Ids{1});
  CHECK(summary(plan) == Summary{{2, 1}});
  finish_step(*s, plan);
  CHECK(run_all(*s) == Ids{2, 1});
}

TEST_CASE("who needs a block and is last itself gives way itself", "[scheduler][preemption]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 3;
  const auto s = make(config);
  add(*s, sequence(1, tokens(7), 5));
  add(*s, sequence(2, tokens(4, 500), 5));
  step(*s);
  const StepPlan& plan = s->schedule(at(0));
  CHECK(plan.preempted == Ids{2});
  CHECK(summary(plan) == Summary{{1, 1}});
}

TEST_CASE("after max_preemptions all blocks are reserved", "[scheduler][preemption][EC-12]") {
  SchedulerConfig config = small_config();
  config.max_preemptions = 1;
  Pressure p(config);
  Scheduler& s = *p.scheduler;
  const StepPlan& plan = s.schedule(at(0));
  REQUIRE(plan.preempted == Ids{2});
  finish_step(s, plan);
  CHECK(p.second->num_preemptions == 1);

  // Sequence 2 needs 3 blocks now (4 + 5 tokens), though its 5 known tokens need but 2.
  for (int i = 0; i < 3; ++i) {
    CHECK(summary(s.schedule(at(0))) == Summary{{1, 1}});
    finish_step(s, plan);
  }
  // Sequence 3 must wait: nothing is left for it, and sequence 2 is no victim.
  add(s, sequence(3, tokens(1, 900), 1));
  CHECK(summary(s.schedule(at(0))) == Summary{{2, 1}});
  CHECK(p.second->block_table.size() == 3);
  finish_step(s, plan);
  CHECK(run_all(s) == Ids{2, 3});
  CHECK(s.stats().num_preemptions == 1);
}

TEST_CASE("max_preemptions 0 reserves always and never preempts", "[scheduler][preemption]") {
  SchedulerConfig config = small_config();
  config.max_preemptions = 0;
  Pressure p(config);
  Scheduler& s = *p.scheduler;
  CHECK(p.first->block_table.size() == 3);
  CHECK(p.second->state == SequenceState::kWaiting);
  CHECK(run_all(s) == Ids{1, 2});
  CHECK(s.stats().num_preemptions == 0);
}

TEST_CASE("a preempted sequence resumes before one that arrived earlier but was added later",
          "[scheduler][preemption]") {
  Pressure p;
  Scheduler& s = *p.scheduler;
  auto early = sequence(9, tokens(4, 900), 1);
  early->arrival = at(-5);
  add(s, std::move(early));
  while (p.second->state == SequenceState::kRunning) step(s);  // until it is preempted
  const StepPlan& plan = s.schedule(at(0));
  while (summary(plan) == Summary{{1, 1}}) {
    finish_step(s, plan);
    s.schedule(at(0));
  }
  CHECK(summary(plan) == Summary{{2, 1}, {9, 4}});
}

TEST_CASE("abort of a sequence that the plan in flight preempted",
          "[scheduler][preemption][abort]") {
  Pressure p;
  Scheduler& s = *p.scheduler;
  const StepPlan& plan = s.schedule(at(0));
  REQUIRE(plan.preempted == Ids{2});
  const auto aborted = s.abort(2);
  REQUIRE(aborted);
  CHECK(aborted->num_preemptions == 1);
  s.check_invariants();
  finish_step(s, plan);
  CHECK(run_all(s) == Ids{1});
}

}  // namespace
}  // namespace tern
