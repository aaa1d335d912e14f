#include "scheduler/state_slots.h"

#include <catch2/catch.hpp>

#include "tests/scheduler/sequences.h"

namespace tern {

TEST_CASE("a slot is given up for the sequence that needs it, the oldest checkpoint first",
          "[scheduler][slots][EC-48]") {
  StateSlots slots(3, 8);
  CHECK(slots.is_enabled());
  const int32_t a = slots.allocate(), b = slots.allocate(), c = slots.allocate();
  CHECK(slots.allocate() == kNoSlot);
  slots.make_checkpoint(a, 5);
  slots.make_checkpoint(b, 2);
  slots.check_invariants({c});
  slots.touch(5);
  CHECK(slots.checkpoint_of(5) == a);
  CHECK(slots.checkpoint_of(0) == kNoSlot);
  CHECK(slots.allocate() == b);
  CHECK(slots.checkpoint_of(2) == kNoSlot);
  slots.free(b);
  slots.drop_checkpoint(5);
  slots.drop_checkpoint(5);
  CHECK(slots.num_free() == 2);
  CHECK(slots.num_checkpoints() == 0);
  slots.check_invariants({c});
}

TEST_CASE("a model without state has no slots, and nobody asks for them",
          "[scheduler][slots][EC-45]") {
  StateSlots slots(0, 8);
  CHECK(!slots.is_enabled());
  CHECK(slots.checkpoint_of(3) == kNoSlot);
  slots.drop_checkpoint(3);
  slots.check_invariants({});
}

namespace {

using Copies = std::vector<std::pair<int32_t, int32_t>>;

Copies copies(const StepPlan& plan) {
  Copies pairs;
  for (const SlotCopy& copy : plan.slot_copies) pairs.emplace_back(copy.from, copy.to);
  return pairs;
}

std::unique_ptr<Scheduler> make_scheduler() {
  SchedulerConfig config;
  config.num_blocks = 16;
  config.block_size = 4;
  config.max_model_len = 64;
  config.max_num_seqs = 2;
  config.max_num_batched_tokens = 32;
  config.num_state_slots = 4;
  config.max_logits_rows = 8;
  return *Scheduler::create(config);
}

}  // namespace

TEST_CASE("a prefix hit ends with a block that has a checkpoint, and brings its state",
          "[scheduler][slots][EC-49][EC-50]") {
  const auto s = make_scheduler();
  REQUIRE(s->add(sequence(1, tokens(14), 1)).ok());
  // The prefill ends where a state can be kept: behind 12 of the 14 tokens.
  CHECK(summary(s->schedule(at(0))) == std::vector<std::pair<uint64_t, int32_t>>{{1, 12}});
  s->commit({{{.id = 1, .num_kept = 12, .token_ids = {}}}});
  const StepPlan& rest = s->schedule(at(0));
  CHECK(rest.sequences[0].num_tokens == 2);
  CHECK(copies(rest) == Copies{{0, 1}});  // the checkpoint
  s->commit(results(rest));
  s->check_invariants();

  // Three blocks are known. The first two end where no state was kept.
  auto shorter = sequence(2, tokens(10), 1);
  Sequence* const two = shorter.get();
  REQUIRE(s->add(std::move(shorter)).ok());
  const StepPlan& anew = s->schedule(at(0));
  CHECK(two->num_cached_tokens == 0);
  CHECK(copies(anew).empty());  // its rows begin at position 0
  s->commit(results(anew));
  run_all(*s);

  auto longer = sequence(3, tokens(20), 1);
  Sequence* const three = longer.get();
  REQUIRE(s->add(std::move(longer)).ok());
  const StepPlan& hit = s->schedule(at(0));
  CHECK(three->num_cached_tokens == 12);
  REQUIRE(!hit.slot_copies.empty());
  CHECK(hit.slot_copies.back().from == 1);
  CHECK(hit.slot_copies.back().to == three->state_slot);
  s->commit(results(hit));
  run_all(*s);
}

TEST_CASE("where a draft is rejected, the state before the step counts again",
          "[scheduler][slots][EC-51][EC-52]") {
  const auto s = make_scheduler();
  auto owned = sequence(1, tokens(3), 20);
  Sequence* const seq = owned.get();
  REQUIRE(s->add(std::move(owned)).ok());
  step(*s);
  const int32_t first = seq->state_slot;
  seq->demand.draft_token_ids = {50, 51, 52};
  seq->demand.num_outputs = 4;
  const StepPlan& plan = s->schedule(at(0));
  CHECK(plan.sequences[0].num_draft == 3);
  REQUIRE(plan.slot_copies.size() == 1);
  const int32_t backup = plan.slot_copies[0].to;
  CHECK(plan.slot_copies[0].from == first);

  SECTION("some were right") {
    s->commit({{{.id = 1, .num_kept = 2, .token_ids = {50, 7}}}});
    CHECK(seq->state_slot == backup);
    CHECK(seq->num_computed_tokens == 3);  // as before the step
    CHECK(seq->num_tokens() == 6);
    seq->demand.draft_token_ids = {60};
    seq->demand.num_outputs = 2;
    // One row to the end of the block, and no draft before there is one known token to compute.
    const StepPlan& again = s->schedule(at(0));
    CHECK(again.sequences[0].num_tokens == 1);
    CHECK(again.sequences[0].num_draft == 0);
    s->commit(results(again));
  }
  SECTION("all were right") {
    s->commit({{{.id = 1, .num_kept = 4, .token_ids = {50, 51, 52, 7}}}});
    CHECK(seq->state_slot == first);
    CHECK(seq->num_computed_tokens == 7);
  }
  s->check_invariants();
  run_all(*s);
  s->check_invariants();
}

}  // namespace tern
