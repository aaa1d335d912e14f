// Drafts and rows of logits: what a sequence may ask of a step besides its known tokens.
#include <catch2/catch.hpp>

#include "tests/scheduler/sequences.h"

namespace tern {
namespace {

SchedulerConfig small_config() {
  SchedulerConfig config;
  config.num_blocks = 16;
  config.block_size = 4;
  config.max_model_len = 64;
  config.max_num_seqs = 4;
  config.max_num_batched_tokens = 16;
  config.max_logits_rows = 8;
  return config;
}

struct Fixture {
  explicit Fixture(const SchedulerConfig& config = small_config())
      : scheduler(*Scheduler::create(config)) {}

  Sequence* add(uint64_t id, int32_t prompt, int32_t max_tokens, const std::string& salt = "") {
    auto seq = sequence(id, tokens(prompt, static_cast<int32_t>(100 * id)), max_tokens);
    seq->cache_salt = salt;
    Sequence* const pointer = seq.get();
    REQUIRE(scheduler->add(std::move(seq)).ok());
    return pointer;
  }

  /// The step of the plan's only sequence: so many of its drafts stay, and one token follows.
  void commit(const StepPlan& plan, int32_t num_right, bool finished = false) {
    REQUIRE(plan.sequences.size() == 1);
    const ScheduledSequence& s = plan.sequences[0];
    SequenceResult own{.id = s.sequence->id,
                       .num_kept = s.num_tokens - s.num_draft + num_right,
                       .token_ids = {},
                       .finished = finished};
    const std::vector<int32_t>& drafts = s.sequence->demand.draft_token_ids;
    own.token_ids.assign(drafts.begin(), drafts.begin() + num_right);
    own.token_ids.push_back(7);
    scheduler->commit({{own}});
    scheduler->check_invariants();
  }

  std::unique_ptr<Scheduler> scheduler;
};

}  // namespace

TEST_CASE("drafts are computed behind the known tokens, and those that stay are appended",
          "[scheduler][demand][EC-37]") {
  Fixture f;
  Sequence* const seq = f.add(1, 6, 20);
  f.commit(f.scheduler->schedule(at(0)), 0);
  seq->demand.draft_token_ids = {50, 51, 52, 53};
  seq->demand.num_outputs = 5;
  const StepPlan& plan = f.scheduler->schedule(at(0));
  REQUIRE(plan.sequences.size() == 1);
  CHECK(plan.sequences[0].num_tokens == 5);
  CHECK(plan.sequences[0].num_draft == 4);
  CHECK(plan.sequences[0].num_outputs == 5);
  CHECK(plan.sequences[0].produces_token());
  CHECK(plan.num_tokens == 5);
  CHECK(plan.num_outputs == 5);
  CHECK(seq->block_table.size() == 3);  // positions 6 to 10
  CHECK(seq->token_at(6) == 7);
  CHECK(seq->token_at(7) == 50);

  SECTION("some") {
    f.commit(plan, 1);
    CHECK(seq->token_ids == std::vector<int32_t>{100, 101, 102, 103, 104, 105, 7, 50, 7});
    CHECK(seq->num_computed_tokens == 8);
    CHECK(seq->block_table.size() == 2);  // what only rejected drafts needed is free again
    CHECK(seq->demand.draft_token_ids.empty());
    CHECK(seq->demand.num_outputs == 1);
  }
  SECTION("none") {
    f.commit(plan, 0);
    CHECK(seq->num_tokens() == 8);
    CHECK(seq->num_computed_tokens == 7);
    CHECK(seq->block_table.size() == 2);
  }
  SECTION("all") {
    f.commit(plan, 4);
    CHECK(seq->num_tokens() == 12);
    CHECK(seq->num_computed_tokens == 11);
    CHECK(seq->block_table.size() == 3);
  }
  run_all(*f.scheduler);
  CHECK(f.scheduler->stats().num_used_blocks == 0);
}

TEST_CASE("what is published ends with the rows that stay", "[scheduler][demand][EC-40]") {
  Fixture f;
  Sequence* const seq = f.add(1, 7, 20);
  f.commit(f.scheduler->schedule(at(0)), 0);
  seq->demand.draft_token_ids = {50, 51, 52, 53};
  f.commit(f.scheduler->schedule(at(0)), 0, /*finished=*/true);  // position 8, a draft's, was wrong
  CHECK(f.scheduler->stats().num_cached_blocks == 2);
  std::vector<int32_t> longer = tokens(7, 100);
  longer.insert(longer.end(), {7, 7, 50, 51, 52, 53, 1});
  REQUIRE(f.scheduler->add(sequence(2, longer, 4)).ok());
  const StepPlan& plan = f.scheduler->schedule(at(0));
  REQUIRE(plan.sequences.size() == 1);
  CHECK(plan.sequences[0].sequence->num_computed_tokens == 8);
}

TEST_CASE("no draft goes beyond max_tokens", "[scheduler][demand][EC-38]") {
  Fixture f;
  Sequence* const seq = f.add(1, 6, 4);
  f.commit(f.scheduler->schedule(at(0)), 0);
  seq->demand.draft_token_ids = {50, 51, 52, 53, 54};
  seq->demand.num_outputs = 6;
  CHECK(seq->max_draft_tokens() == 2);
  const StepPlan& plan = f.scheduler->schedule(at(0));
  CHECK(plan.sequences[0].num_draft == 2);  // with the token behind them the answer has four
  CHECK(plan.sequences[0].num_outputs == 3);
  f.commit(plan, 2, /*finished=*/true);
}

TEST_CASE("drafts take what a step has left", "[scheduler][demand][EC-38]") {
  SchedulerConfig config = small_config();
  SECTION("of tokens") {
    config.max_num_batched_tokens = 7;
    Fixture f(config);
    Sequence* const a = f.add(1, 2, 20);
    Sequence* const b = f.add(2, 2, 20);
    step(*f.scheduler);
    a->demand.draft_token_ids = b->demand.draft_token_ids = {50, 51, 52};
    f.add(3, 2, 5);  // is admitted before they are served
    CHECK(summary(f.scheduler->schedule(at(0))) ==
          std::vector<std::pair<uint64_t, int32_t>>{{1, 4}, {2, 1}, {3, 2}});
  }
  SECTION("of rows of logits") {
    config.max_logits_rows = 4;
    Fixture f(config);
    Sequence* const a = f.add(1, 2, 20);
    Sequence* const b = f.add(2, 2, 20);
    step(*f.scheduler);
    for (Sequence* seq : {a, b}) {
      seq->demand.draft_token_ids = {50, 51, 52};
      seq->demand.num_outputs = 3;  // not for the last known token
    }
    const StepPlan& plan = f.scheduler->schedule(at(0));
    CHECK(summary(plan) == std::vector<std::pair<uint64_t, int32_t>>{{1, 4}, {2, 2}});
    CHECK(plan.sequences[0].num_outputs == 3);
    CHECK(plan.sequences[1].num_outputs == 1);
    CHECK(plan.num_outputs == 4);
  }
  SECTION("of blocks, without a preemption") {
    config.num_blocks = 3;
    config.max_model_len = 12;
    Fixture f(config);
    Sequence* const a = f.add(1, 3, 8);
    f.add(2, 3, 8);
    step(*f.scheduler);
    a->demand.draft_token_ids = {50, 51, 52, 53, 54, 55};
    const StepPlan& plan = f.scheduler->schedule(at(0));
    CHECK(plan.preempted.empty());
    CHECK(summary(plan) == std::vector<std::pair<uint64_t, int32_t>>{{1, 5}, {2, 1}});
  }
}

TEST_CASE("a prefill takes no more rows of logits than are left by the others",
          "[scheduler][demand][EC-36]") {
  Fixture f;
  f.add(1, 2, 20);
  f.add(2, 2, 20);
  step(*f.scheduler);
  Sequence* const prompt = f.add(3, 20, 4);
  prompt->demand.num_outputs = 18;  // from position 2 on
  const StepPlan& plan = f.scheduler->schedule(at(0));
  CHECK(summary(plan) == std::vector<std::pair<uint64_t, int32_t>>{{1, 1}, {2, 1}, {3, 8}});
  CHECK(plan.sequences[2].num_outputs == 6);
  CHECK(plan.num_outputs == 8);
}

TEST_CASE("a sequence may have several tokens to compute, and none waits for it",
          "[scheduler][demand][EC-41]") {
  SchedulerConfig config = small_config();
  config.max_num_batched_tokens = 5;
  Fixture f(config);
  f.add(1, 2, 20);
  f.add(2, 2, 20);
  step(*f.scheduler);
  const StepPlan& plan = f.scheduler->schedule(at(0));
  StepResult result = results(plan);
  result.sequences[0].num_kept = 0;  // and six tokens follow
  result.sequences[0].token_ids = {1, 2, 3, 4, 5, 6};
  f.scheduler->commit(result);
  CHECK(summary(f.scheduler->schedule(at(0))) ==
        std::vector<std::pair<uint64_t, int32_t>>{{1, 4}, {2, 1}});
}

}  // namespace tern
