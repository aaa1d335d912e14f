#include "scheduler/scheduler.h"

#include <catch2/catch.hpp>

#include "tests/scheduler/small_scheduler.h"

namespace tern {
namespace {

void check_refused(const Status& status, Code code, const std::string& message) {
  CHECK(status.code() == code);
  CHECK(status.message() == message);
}

TEST_CASE("a config that cannot work names its key", "[scheduler][config]") {
  CHECK(small_config().validate().ok());
  const auto message = [](auto change) {
    SchedulerConfig config = small_config();
    change(config);
    const Status status = config.validate();
    CHECK(status.code() == Code::kInvalidArgument);
    CHECK(Scheduler::create(config).status().message() == status.message());
    return status.message();
  };
  CHECK(message([](auto& c) { c.num_blocks = 0; }) == "num_blocks: must be at least 1, is 0");
  CHECK(message([](auto& c) { c.block_size = -2; }) == "block_size: must be at least 1, is -2");
  CHECK(message([](auto& c) { c.max_num_seqs = 0; }) == "max_num_seqs: must be at least 1, is 0");
  CHECK(message([](auto& c) { c.max_model_len = 0; }) == "max_model_len: must be at least 1, is 0");
  CHECK(message([](auto& c) { c.max_preemptions = -1; }) ==
        "max_preemptions: must be at least 0, is -1");
  CHECK(
      message([](auto& c) { c.max_num_batched_tokens = 3; }) ==
      "max_num_batched_tokens: must be at least max_num_seqs (4), or some decodes would never get "
      "their token; is 3");
  CHECK(message([](auto& c) {
          c.policy.name = "x";
        }).starts_with("policy.name: 'x' is not one of fcfs, priority"));
}

TEST_CASE("add refuses what is malformed or can never fit", "[scheduler]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 8;
  const auto s = make(config);
  add(*s, sequence(1, tokens(31), 1));  // 32 tokens: the whole pool
  check_refused(s->add(sequence(1, tokens(1), 1)), Code::kAlreadyExists,
                "sequence 1: a live one has this id");
  check_refused(
      s->add(sequence(2, tokens(32), 1)), Code::kOutOfRange,
      "sequence 2: prompt (32) + max_tokens (1) is 33 tokens, over the 32 of the whole KV "
      "pool (num_blocks 8 x block_size 4)");
  check_refused(s->add(sequence(2, tokens(32), 33)), Code::kOutOfRange,
                "sequence 2: prompt (32) + max_tokens (33) is 65 tokens, over max_model_len 64");
  check_refused(s->add(sequence(2, tokens(2), 2147483647)), Code::kOutOfRange,
                "sequence 2: prompt (2) + max_tokens (2147483647) is 2147483649 tokens, over "
                "max_model_len 64");
  check_refused(s->add(sequence(2, {}, 1)), Code::kInvalidArgument,
                "sequence 2: num_prompt_tokens must be at least 1, is 0");
  check_refused(s->add(sequence(2, tokens(1), -1)), Code::kInvalidArgument,
                "sequence 2: max_tokens must be at least 0, is -1");
  auto odd = sequence(2, tokens(3), 1);
  odd->num_prompt_tokens = 2;
  check_refused(
      s->add(std::move(odd)), Code::kInvalidArgument,
      "sequence 2: token_ids must be the num_prompt_tokens (2) tokens of the prompt, has 3");
  odd = sequence(2, tokens(3), 1);
  odd->priority = static_cast<PriorityClass>(9);
  check_refused(s->add(std::move(odd)), Code::kInvalidArgument,
                "sequence 2: priority 9 is no priority class");
  CHECK(s->stats().num_waiting == 1);
  CHECK(run_all(*s) == Ids{1});
}

TEST_CASE("a long prompt is prefilled in chunks, whatever they cut", "[scheduler]") {
  const int32_t length = GENERATE(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33);
  const int32_t budget = GENERATE(1, 3, 4, 5, 16);
  CAPTURE(length, budget);
  SchedulerConfig config = small_config();
  config.max_num_seqs = 1;
  config.max_num_batched_tokens = budget;
  const auto s = make(config);
  const Sequence* seq = add(*s, sequence(1, tokens(length), 2));
  for (int32_t done = 0; done < length; done += budget) {
    const StepPlan& plan = s->schedule(at(0));
    const int32_t chunk = std::min(budget, length - done);
    REQUIRE(summary(plan) == Summary{{1, chunk}});
    CHECK(plan.num_tokens == chunk);
    CHECK(seq->num_computed_tokens == done);
    CHECK(seq->block_table.size() == size_t(done + chunk + 3) / 4);
    CHECK(plan.sequences[0].produces_token() == (done + chunk == length));
    CHECK(s->commit(results(plan)).empty());
    s->check_invariants();
  }
  CHECK(seq->num_output_tokens() == 1);
  CHECK(summary(s->schedule(at(0))) == Summary{{1, 1}});
  const auto ended = s->commit({{{1, 1, {9}, true}}});
  REQUIRE(ended.size() == 1);
  CHECK(ended[0]->state == SequenceState::kFinished);
  CHECK(ended[0]->token_ids.back() == 9);
  CHECK(ended[0]->num_output_tokens() == 2);
  CHECK(ended[0]->block_table.empty());
  CHECK(s->stats().num_used_blocks == 0);
  CHECK(s->stats().num_scheduled_tokens == uint64_t(length) + 1);
}

TEST_CASE("decodes come first, a prefill takes the rest, nothing starts behind it",
          "[scheduler][EC-11]") {
  SchedulerConfig config = small_config();
  config.max_num_batched_tokens = 6;
  const auto s = make(config);
  add(*s, sequence(1, tokens(3), 20));
  add(*s, sequence(2, tokens(10, 500), 4));
  const StepPlan& plan = s->schedule(at(0));
  CHECK(summary(plan) == Summary{{1, 3}, {2, 3}});
  finish_step(*s, plan);
  add(*s, sequence(3, tokens(4, 900), 4));
  const std::vector<Summary> expected{{{1, 1}, {2, 5}},
                                      {{1, 1}, {2, 2}, {3, 3}},
                                      {{1, 1}, {2, 1}, {3, 1}},
                                      {{1, 1}, {2, 1}, {3, 1}}};
  for (const Summary& rows : expected) {
    s->schedule(at(0));
    CHECK(summary(plan) == rows);
    finish_step(*s, plan);
  }
}

TEST_CASE("with the smallest budget a prefill still gets a token a step", "[scheduler]") {
  SchedulerConfig config = small_config();
  config.max_num_seqs = 2;
  config.max_num_batched_tokens = 2;
  const auto s = make(config);
  add(*s, sequence(1, tokens(1), 9));
  add(*s, sequence(2, tokens(4, 500), 1));
  const StepPlan& plan = s->schedule(at(0));
  for (int i = 0; i < 4; ++i) {
    CHECK(summary(plan) == Summary{{1, 1}, {2, 1}});
    finish_step(*s, plan);
    s->schedule(at(0));
  }
  CHECK(summary(plan) == Summary{{1, 1}});
}

TEST_CASE("a prefill short of blocks takes those there are before it preempts", "[scheduler]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 4;
  config.max_num_batched_tokens = 8;
  const auto s = make(config);
  add(*s, sequence(1, tokens(4), 8));
  add(*s, sequence(2, tokens(12, 500), 1));
  const StepPlan& plan = s->schedule(at(0));
  CHECK(summary(plan) == Summary{{1, 4}, {2, 4}});
  finish_step(*s, plan);
  s->schedule(at(0));  // sequence 1 takes a block, one is left for 4 of the 7 tokens in the budget
  CHECK(summary(plan) == Summary{{1, 1}, {2, 4}});
  CHECK(plan.preempted.empty());
  finish_step(*s, plan);
  s->schedule(at(0));  // none is left: the prefill is last and gives way itself
  CHECK(summary(plan) == Summary{{1, 1}});
  CHECK(plan.preempted == Ids{2});
  finish_step(*s, plan);
  CHECK(run_all(*s) == Ids{1, 2});
}

TEST_CASE("the policy's next is never skipped for a smaller one", "[scheduler][EC-11]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 4;
  const auto s = make(config);
  add(*s, sequence(1, tokens(8), 8));
  add(*s, sequence(2, tokens(12, 500), 4));  // needs 3 blocks, 2 are left
  add(*s, sequence(3, tokens(1, 900), 1));
  const StepPlan& plan = s->schedule(at(0));
  CHECK(summary(plan) == Summary{{1, 8}});
  finish_step(*s, plan);
  CHECK(s->stats().num_waiting == 2);
  CHECK(s->stats().num_waiting_tokens == 13);
  CHECK(run_all(*s) == Ids{1, 3, 2});
}

TEST_CASE("priority decides admission, max_num_seqs limits it", "[scheduler]") {
  SchedulerConfig config = small_config();
  config.max_num_seqs = 2;
  config.policy.name = "priority";
  const auto s = make(config);
  for (const auto& [id, priority] : {std::pair{1, PriorityClass::kBulk},
                                     {2, PriorityClass::kDefault},
                                     {3, PriorityClass::kSystem},
                                     {4, PriorityClass::kInteractive}}) {
    auto seq = sequence(id, tokens(2, 100 * id), 1);
    seq->priority = priority;
    add(*s, std::move(seq));
  }
  CHECK(summary(s->schedule(at(0))) == Summary{{3, 2}, {4, 2}});
  s->commit({{{3, 2, {1}, true}, {4, 2, {1}, true}}});
  CHECK(summary(s->schedule(at(0))) == Summary{{2, 2}, {1, 2}});
}

TEST_CASE("a stored prefix is shared: whole blocks, never the last token",
          "[scheduler][prefix][EC-13]") {
  const int32_t length = GENERATE(3, 4, 5, 7, 8, 9, 12);
  CAPTURE(length);
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(12), 1));
  run_all(*s);
  CHECK(s->stats().num_cached_blocks == 3);
  const Sequence* seq = add(*s, sequence(2, tokens(length), 1));
  const int32_t hit = (length - 1) / 4 * 4;
  CHECK(summary(s->schedule(at(0))) == Summary{{2, length - hit}});
  CHECK(seq->num_cached_tokens == hit);
  CHECK(seq->num_computed_tokens == hit);
  CHECK(s->stats().prefix_cache_query_tokens == uint64_t(12 + length));
  CHECK(s->stats().prefix_cache_hit_tokens == uint64_t(hit));
  s->check_invariants();
}

TEST_CASE("running sequences share blocks, and answers are prefixes too", "[scheduler][prefix]") {
  const auto s = make(small_config());
  const Sequence* first = add(*s, sequence(1, tokens(7), 9));
  step(*s);
  step(*s);  // 8 tokens computed: prompt, and one of the answer
  REQUIRE(first->num_computed_tokens == 8);
  std::vector<int32_t> prompt = first->token_ids;
  prompt.resize(9);
  const Sequence* second = add(*s, sequence(2, prompt, 2));
  s->schedule(at(0));
  CHECK(second->num_cached_tokens == 8);
  REQUIRE(second->block_table.size() == 3);
  CHECK(second->block_table[0] == first->block_table[0]);
  CHECK(second->block_table[1] == first->block_table[1]);
  CHECK(second->block_table[2] != first->block_table[2]);
  CHECK(s->stats().num_used_blocks == 4);
}

TEST_CASE("what is computed becomes visible at commit, not before", "[scheduler][prefix][EC-13]") {
  const auto s = make(small_config());
  const Sequence* first = add(*s, sequence(1, tokens(6), 2));
  const Sequence* second = add(*s, sequence(2, tokens(6), 2));
  CHECK(summary(s->schedule(at(0))) == Summary{{1, 6}, {2, 6}});  // both compute the same
  CHECK(first->block_table[0] != second->block_table[0]);
  s->commit({{{1, 6, {7}, true}, {2, 6, {7}, true}}});
  CHECK(s->stats().num_cached_blocks == 1);  // the second one's stayed private
  s->check_invariants();
}

TEST_CASE("only equal salts share, and a bypass reads nothing", "[scheduler][prefix][EC-13]") {
  const auto s = make(small_config());
  const auto cached = [&](uint64_t id, const std::string& salt, bool bypass) {
    auto seq = sequence(id, tokens(9), 1);
    seq->cache_salt = salt;
    seq->bypass_prefix_cache = bypass;
    const Sequence* live = add(*s, std::move(seq));
    const StepPlan& plan = s->schedule(at(0));
    const int32_t num_cached = live->num_cached_tokens;
    s->commit({{{id, plan.num_tokens, {7}, true}}});
    return num_cached;
  };
  CHECK(cached(1, "a", false) == 0);
  CHECK(cached(2, "b", false) == 0);
  CHECK(cached(3, "", false) == 0);
  CHECK(cached(4, "a", true) == 0);
  CHECK(cached(5, "a", false) == 8);
  CHECK(cached(6, "b", false) == 8);
  CHECK(cached(7, "c", true) == 0);  // but publishes
  CHECK(cached(8, "c", false) == 8);
  CHECK(s->stats().prefix_cache_query_tokens == 6 * 9);
}

TEST_CASE("without prefix caching nothing is kept", "[scheduler][prefix]") {
  SchedulerConfig config = small_config();
  config.enable_prefix_caching = false;
  const auto s = make(config);
  for (const uint64_t id : {1, 2}) {
    add(*s, sequence(id, tokens(9), 2));
    run_all(*s);
  }
  CHECK(s->stats().num_free_blocks == 16);
  CHECK(s->stats().prefix_cache_query_tokens == 0);
  CHECK(s->stats().num_scheduled_tokens == 20);
}

TEST_CASE("the tail of a prefix is evicted before its head", "[scheduler][prefix]") {
  SchedulerConfig config = small_config();
  config.num_blocks = 4;
  const auto s = make(config);
  add(*s, sequence(1, tokens(12), 1));
  run_all(*s);
  REQUIRE(s->stats().num_cached_blocks == 3);
  add(*s, sequence(2, tokens(6, 500), 1));  // the free block and one cached
  run_all(*s);
  CHECK(s->stats().num_evicted_blocks == 1);
  const Sequence* again = add(*s, sequence(3, tokens(12), 1));
  s->schedule(at(0));
  CHECK(again->num_cached_tokens == 8);
}

TEST_CASE("flush forgets what nobody uses", "[scheduler][prefix]") {
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(8), 8));
  step(*s);
  add(*s, sequence(2, tokens(8, 500), 1));
  step(*s);
  CHECK(s->stats().num_cached_blocks == 2);
  CHECK(s->flush_prefix_cache() == 2);
  CHECK(s->flush_prefix_cache() == 0);
  CHECK(s->stats().num_cached_blocks == 0);
  s->check_invariants();
  Sequence* flushed = add(*s, sequence(3, tokens(8, 500), 1));
  Sequence* kept = add(*s, sequence(4, tokens(8), 1));
  s->schedule(at(0));
  CHECK(flushed->num_cached_tokens == 0);
  CHECK(kept->num_cached_tokens == 4);
}

TEST_CASE("abort of a waiting sequence", "[scheduler][abort]") {
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(5), 3));
  const auto aborted = s->abort(1);
  REQUIRE(aborted);
  CHECK(aborted->state == SequenceState::kFinished);
  CHECK_FALSE(s->has_work());
  CHECK(s->stats().num_waiting_tokens == 0);
  CHECK(s->schedule(at(0)).empty());
  CHECK(s->abort(1) == nullptr);
  CHECK(s->abort(77) == nullptr);
  add(*s, sequence(1, tokens(5), 3));  // the id is free again
  s->check_invariants();
}

TEST_CASE("abort between two steps returns the blocks at once", "[scheduler][abort]") {
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(20), 3));
  step(*s);
  REQUIRE(s->stats().num_used_blocks == 4);
  const auto aborted = s->abort(1);
  REQUIRE(aborted);
  CHECK(aborted->block_table.empty());
  CHECK(s->stats().num_used_blocks == 0);
  CHECK(s->stats().num_cached_blocks == 4);
  s->check_invariants();
}

TEST_CASE("abort in flight: plan and blocks stay until commit hands the sequence back",
          "[scheduler][abort][EC-2]") {
  const bool has_result = GENERATE(false, true);
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(5), 3));
  add(*s, sequence(2, tokens(6, 500), 3));
  const StepPlan& plan = s->schedule(at(0));
  CHECK(s->abort(1) == nullptr);
  CHECK(s->abort(1) == nullptr);
  s->check_invariants();
  CHECK(s->has_work());
  CHECK(summary(plan) == Summary{{1, 5}, {2, 6}});
  CHECK(plan.sequences[0].sequence->block_table.size() == 2);
  CHECK(s->stats().num_used_blocks == 4);
  StepResult result = results(plan);
  if (!has_result) result.sequences.erase(result.sequences.begin());
  const auto ended = s->commit(result);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0]->id == 1);
  CHECK(ended[0]->state == SequenceState::kFinished);
  CHECK(ended[0]->num_output_tokens() == 0);
  CHECK(plan.empty());
  CHECK(s->stats().num_used_blocks == 2);
  CHECK(s->stats().num_cached_blocks == 0);  // nobody vouched for what the step wrote
  s->check_invariants();
  CHECK(run_all(*s) == Ids{2});
}

TEST_CASE("abort of a waiting sequence while a step is in flight", "[scheduler][abort]") {
  SchedulerConfig config = small_config();
  config.max_num_seqs = 1;
  const auto s = make(config);
  add(*s, sequence(1, tokens(6), 1));
  add(*s, sequence(2, tokens(9, 500), 1));
  const StepPlan& plan = s->schedule(at(0));
  REQUIRE(summary(plan) == Summary{{1, 6}});
  CHECK(s->abort(2) != nullptr);  // handed back at once: the step does not compute it
  s->check_invariants();
  finish_step(*s, plan);
  CHECK_FALSE(s->has_work());
}

TEST_CASE("a sequence may end without a token, even in its prefill", "[scheduler]") {
  const auto s = make(small_config());
  add(*s, sequence(1, tokens(5), 3));
  add(*s, sequence(2, tokens(30, 500), 3));
  CHECK(summary(s->schedule(at(0))) == Summary{{1, 5}, {2, 11}});
  const auto ended = s->commit({{{1, 5, {}, true}, {2, 11, {}, true}}});
  REQUIRE(ended.size() == 2);
  CHECK(ended[0]->num_output_tokens() == 0);
  CHECK_FALSE(s->has_work());
  CHECK(s->stats().num_used_blocks == 0);
  s->check_invariants();
}

TEST_CASE("an empty plan needs no commit", "[scheduler]") {
  const auto s = make(small_config());
  CHECK(s->schedule(at(0)).empty());
  CHECK(s->schedule(at(1)).empty());
  CHECK(s->stats().num_steps == 0);
  add(*s, sequence(1, tokens(1), 1));
  CHECK(run_all(*s) == Ids{1});
  CHECK(s->stats().num_steps == 1);
}

TEST_CASE("reserved places stay free for their classes", "[scheduler][reserved]") {
  SchedulerConfig config = small_config();
  config.policy.name = "priority";
  config.policy.settings["reserved_seqs_system"] = 1;
  config.policy.settings["reserved_seqs_interactive"] = 1;
  const auto scheduler = make(config);
  const auto add_as = [&](uint64_t id, PriorityClass priority) {
    auto seq = sequence(id, tokens(2, 100 * int32_t(id)), 10);
    seq->priority = priority;
    add(*scheduler, std::move(seq));
  };
  const auto running = [&] {
    step(*scheduler);
    return scheduler->stats().num_running;
  };
  for (uint64_t id = 1; id <= 5; ++id) add_as(id, PriorityClass::kBulk);
  CHECK(running() == 2);  // two of four are kept
  add_as(6, PriorityClass::kInteractive);
  add_as(7, PriorityClass::kInteractive);
  CHECK(running() == 3);  // its own place; the system's is not for it
  add_as(8, PriorityClass::kSystem);
  CHECK(running() == 4);
  (void)scheduler->abort(1);  // the places of the two classes are taken: bulk gets its own again,
  CHECK(running() == 4);      // but after the interactive one that waits
  CHECK(scheduler->abort(7)->num_computed_tokens > 0);
}

TEST_CASE("reserved places that cannot work are named", "[scheduler][config]") {
  SchedulerConfig config = small_config();
  config.policy.settings["reserved_seqs_system"] = 1;
  CHECK(config.validate().message() == "reserved_seqs_system: needs policy priority, is 'fcfs'");
  config.policy.name = "priority";
  CHECK(config.validate().ok());
  config.policy.settings["reserved_seqs_interactive"] = 3;
  CHECK(config.validate().message().find("must be below max_num_seqs (4)") != std::string::npos);
}

}  // namespace
}  // namespace tern
