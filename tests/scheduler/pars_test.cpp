// Whom the policies that look at a request's work take first.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "scheduler/policy.h"
#include "tests/scheduler/sequences.h"

namespace tern {
namespace {

SchedulerConfig config_of(const std::string& policy,
                          std::map<std::string, double, std::less<>> set = {}) {
  SchedulerConfig config;
  config.max_num_seqs = 1;
  config.max_num_batched_tokens = 64;
  config.block_size = 4;
  config.num_blocks = 64;
  config.max_model_len = 256;
  config.policy = {policy, std::move(set)};
  if (policy != "fcfs") config.policy.settings.try_emplace("prefill_weight", 0.1);
  return config;
}

/// Sequences that wait in a policy, and the order in which it gives them.
struct Queue {
  explicit Queue(const SchedulerConfig& config) : policy(*make_policy(config)) {}

  Sequence& add(double expected, int32_t max_tokens = 1000, int32_t prompt = 10) {
    all.push_back(sequence(all.size() + 1, tokens(prompt), max_tokens));
    Sequence& seq = *all.back();
    seq.expected_output_tokens = expected;
    return seq;
  }
  void wait() {
    for (; num_added < all.size(); ++num_added) policy->add(*all[num_added], at(0));
  }
  std::vector<uint64_t> drain() {
    wait();
    std::vector<uint64_t> ids;
    while (Sequence* next = policy->next(at(0))) {
      ids.push_back(next->id);
      policy->admit(*next);
    }
    return ids;
  }
  /// The answer has so many tokens.
  void finish(Sequence& seq, int32_t length) {
    seq.token_ids.insert(seq.token_ids.end(), length, 7);
    policy->left(seq, Leave::kFinished);
  }

  std::unique_ptr<Policy> policy;
  std::vector<std::unique_ptr<Sequence>> all;
  size_t num_added = 0;
};

using Ids = std::vector<uint64_t>;

TEST_CASE("pars serves what is expected to be short first, and ties as they came",
          "[policy][pars]") {
  Queue queue(config_of("pars"));
  for (const double length : {300, 20, 300, 5, 20}) queue.add(length);
  CHECK(queue.drain() == Ids{4, 2, 5, 1, 3});
}

TEST_CASE("a bound of max_tokens is believed more than the ranker", "[policy][pars]") {
  Queue queue(config_of("pars"));
  queue.add(300, 10);
  queue.add(100);
  queue.add(300);
  queue.add(1, 50).has_exact_length = true;
  CHECK(queue.drain() == Ids{1, 4, 2, 3});
}

TEST_CASE("a prompt that has to be computed counts as work", "[policy][pars]") {
  Queue queue(config_of("pars", {{"prefill_weight", 0.5}}));
  queue.add(50, 1000, 200);
  queue.add(60, 1000, 10);
  queue.add(70, 1000, 200).num_prefix_tokens = 192;
  CHECK(queue.drain() == Ids{2, 3, 1});
}

TEST_CASE("what has no score, or a senseless one, is in the middle", "[policy][pars]") {
  Queue queue(config_of("pars"));
  for (int i = 0; i < 20; ++i) queue.add(i % 2 == 0 ? 10 : 100);  // the median is one of them
  queue.drain();
  queue.add(9);
  queue.add(101);
  for (const double length : {kUnknown, std::numeric_limits<double>::infinity(), -5.0})
    queue.add(length);
  CHECK(queue.drain() == Ids{21, 23, 24, 25, 22});
}

TEST_CASE("scores of two versions of a ranker are not mixed", "[policy][pars]") {
  Queue queue(config_of("pars"));
  for (int i = 0; i < 20; ++i) queue.add(50);
  queue.drain();
  queue.add(1);
  queue.add(90).ranker_version = 2;  // as good as unscored: 50
  queue.add(70);
  queue.wait();
  CHECK(queue.policy->next(at(0))->id == 21);
  queue.policy->use_ranker(2);  // now the other two are unscored, and longer than it by all means
  CHECK(queue.drain() == Ids{22, 21, 23});
}

TEST_CASE("a later score takes a waiting sequence to its place", "[policy][pars]") {
  Queue queue(config_of("pars"));
  Sequence& seq = queue.add(500);
  queue.add(100);
  queue.wait();
  seq.expected_output_tokens = 3;
  queue.policy->rekey(seq, Changed::kScore);
  CHECK(queue.drain() == Ids{1, 2});
}

TEST_CASE("ageing that stands still gives the order of ageing that moves", "[policy][pars]") {
  Queue queue(config_of("pars", {{"aging_tau_s", 20}, {"prefill_weight", 0}, {"starve_quota", 0}}));
  for (int i = 0; i < 300; ++i) queue.add(100);  // the median is this, whatever the next few are
  queue.drain();
  std::mt19937 rng(3);
  for (int i = 0; i < 15; ++i) {
    Sequence& seq = queue.add(1 + static_cast<double>(rng() % 2000) / 10);
    seq.arrival = TimePoint(std::chrono::milliseconds(rng() % 100'000));
  }
  const Ids order = queue.drain();
  for (int i = 0; i < 1000; ++i) {
    const double now = 100 + static_cast<double>(rng() % 1'000'000) / 1000;
    Ids dynamic = order;
    std::ranges::sort(dynamic, {}, [&](uint64_t id) {
      const Sequence& seq = *queue.all[id - 1];
      const double waited = now - Seconds(seq.arrival.time_since_epoch()).count();
      return seq.expected_output_tokens - 100 * waited / 20;
    });
    REQUIRE(dynamic == order);
  }
}

TEST_CASE("ageing keeps equal prompts in their order while the median moves", "[policy][pars]") {
  Queue queue(config_of("pars", {{"aging_tau_s", 30}, {"prefill_weight", 0}, {"starve_quota", 0}}));
  std::mt19937 rng(5);
  Ids equal;
  const auto up = std::chrono::hours(1000);  // as long the clock has run
  for (int i = 0; i < 600; ++i) {
    const bool is_equal = i % 10 == 0;
    // The others grow longer: the median goes from 20 to 400.
    Sequence& seq = queue.add(is_equal ? 90 : i < 300 ? rng() % 40 : 380 + rng() % 40);
    seq.arrival = TimePoint(up + std::chrono::milliseconds(10 * i));
    queue.wait();
    if (is_equal) equal.push_back(seq.id);
  }
  Ids served = queue.drain();
  std::erase_if(served, [&](uint64_t id) { return std::ranges::count(equal, id) == 0; });
  CHECK(served == equal);
}

TEST_CASE("a hint counts as much as the tenant's hints were worth", "[policy][pars]") {
  Queue queue(config_of("pars", {{"tenant_slack", 0}}));
  const auto ask = [&](const char* tenant, double hint) -> Sequence& {
    Sequence& seq = queue.add(100);
    seq.tenant = tenant;
    seq.hinted_output_tokens = hint;
    return seq;
  };
  // Nothing is known of anyone: a hint moves a request, but not past what a ranker expects to be
  // short.
  ask("liar", 1);
  ask("honest", 1);
  queue.add(20);
  queue.add(100);
  CHECK(queue.drain() == Ids{3, 1, 2, 4});
  for (int i = 0; i < 60; ++i) {
    ask("liar", 1);
    Sequence& honest = ask("honest", 10 + i);
    queue.drain();
    queue.finish(*queue.all[queue.all.size() - 2], 50 + 400 * (i % 2));
    queue.finish(honest, 10 + i);
  }
  const uint64_t first = queue.all.size() + 1;
  ask("liar", 1);
  ask("honest", 3);
  queue.add(20);
  queue.add(90);
  CHECK(queue.drain() == Ids{first + 1, first + 2, first + 3, first});
}

// Steps of 10 ms and so much for a prompt token; then a long prompt with a short answer waits
// beside a short prompt with an answer that is longer by 20 tokens. Which goes first?
uint64_t first_where_prompt_tokens_take(Seconds per_token) {
  SchedulerConfig config = config_of("pars", {{"prefill_weight", -1}});
  config.max_num_batched_tokens = 600;
  config.num_blocks = 400;
  config.max_model_len = 1000;
  const auto scheduler = *Scheduler::create(config);
  TimePoint now;
  const auto run_step = [&]() -> std::vector<uint64_t> {
    const StepPlan& plan = scheduler->schedule(now);
    std::vector<uint64_t> ids;
    for (const ScheduledSequence& s : plan.sequences) ids.push_back(s.sequence->id);
    now += std::chrono::duration_cast<Duration>(Seconds(0.01) + per_token * plan.num_tokens);
    scheduler->commit(results(plan));
    return ids;
  };
  uint64_t id = 0;
  const auto add = [&](int32_t prompt, double expected) {
    ++id;
    auto seq = sequence(id, tokens(prompt, 10'000 * static_cast<int32_t>(id)), id <= 20 ? 10 : 300);
    seq->arrival = now;
    seq->expected_output_tokens = expected;
    REQUIRE(scheduler->add(std::move(seq)).ok());
  };
  for (int i = 0; i < 20; ++i) add(20 + 20 * i, 10);
  while (scheduler->has_work()) run_step();
  add(500, 30);
  add(10, 50);
  return run_step().front();
}

TEST_CASE("what a prompt token costs is learnt from the steps", "[scheduler][pars]") {
  CHECK(first_where_prompt_tokens_take(Seconds(0)) == 21);
  CHECK(first_where_prompt_tokens_take(Seconds(1e-3)) == 22);  // 500 of them are worth 50 steps
}

TEST_CASE("a hint that max_tokens has cut is not held against its tenant", "[policy][pars]") {
  const auto place_of_hinted = [](int32_t earlier_max_tokens) {
    Queue queue(config_of("pars", {{"tenant_slack", 0}, {"prefill_weight", 0}}));
    for (int i = 0; i < 40; ++i) {
      Sequence& seq = queue.add(100, earlier_max_tokens);
      seq.hinted_output_tokens = 1000;
      queue.drain();
      queue.finish(seq, std::min(earlier_max_tokens, 1000));
    }
    const uint64_t hinted = queue.all.size() + 1;
    queue.add(100, 1000).hinted_output_tokens = 1000;
    for (int i = 30; i <= 100; i += 10) queue.add(i);
    const Ids order = queue.drain();
    return std::ranges::find(order, hinted) - order.begin();
  };
  CHECK(place_of_hinted(1001) == 8);  // the last
  CHECK(place_of_hinted(5) == 8);
}

TEST_CASE("oracle believes the hint, and nothing else", "[policy]") {
  Queue queue(config_of("oracle"));
  queue.add(1).hinted_output_tokens = 30;
  queue.add(900).hinted_output_tokens = 20;
  queue.add(1, 25);
  CHECK(queue.drain() == Ids{2, 3, 1});
}

TEST_CASE("hrrn serves the short first, and the long before they wait too long", "[policy]") {
  Queue queue(config_of("hrrn", {{"prefill_weight", 0}}));
  queue.add(1000);
  queue.add(10);
  queue.wait();
  StepPlan plan;
  auto other = sequence(99, tokens(4), 1000);
  const auto work = [&](int32_t num_tokens) {
    other->num_computed_tokens = 4;  // decodes
    plan.sequences = {{other.get(), num_tokens}};
    queue.policy->stepped(plan);
  };
  work(5);
  CHECK(queue.policy->next(at(0))->id == 2);
  queue.policy->admit(*queue.all[1]);
  for (int i = 0; i < 99; ++i) {  // a stream of short ones, each served as it comes
    queue.add(10);
    queue.wait();
    work(10);
    Sequence* next = queue.policy->next(at(0));
    if (next->id == 1) break;
    queue.policy->admit(*next);
  }
  REQUIRE(queue.policy->next(at(0))->id == 1);
  CHECK(queue.all.size() > 90);  // 1000 tokens of work have to pass, not fewer
}

TEST_CASE("sjf_prompt and lpm look at prompts alone", "[policy]") {
  const auto order = [](const char* name) {
    Queue queue(config_of(name));
    queue.add(1, 1000, 30);
    queue.add(500, 1000, 10);
    queue.add(90, 1000, 40).num_prefix_tokens = 32;
    queue.add(80, 1000, 60).num_prefix_tokens = 16;
    return queue.drain();
  };
  CHECK(order("sjf_prompt") == Ids{3, 2, 1, 4});
  CHECK(order("lpm") == Ids{3, 4, 1, 2});
}

TEST_CASE("a prefix that is published moves those that wait for it", "[scheduler]") {
  const auto scheduler = *Scheduler::create(config_of("lpm"));
  REQUIRE(scheduler->add(sequence(1, tokens(12), 4)).ok());
  const StepPlan& plan = scheduler->schedule(at(0));
  REQUIRE(scheduler->commit(results(plan)).empty());
  REQUIRE(scheduler->add(sequence(2, tokens(12, 500), 2)).ok());
  auto third = sequence(3, tokens(16), 2);
  const Sequence& seq = *third;
  REQUIRE(scheduler->add(std::move(third)).ok());
  CHECK(seq.num_prefix_tokens == 12);
  auto fourth = sequence(4, tokens(12), 2);
  fourth->token_ids.insert(fourth->token_ids.end(), {7, 7, 7, 7, 7});  // the answer of the first
  fourth->num_prompt_tokens = 17;
  const Sequence& follows = *fourth;
  REQUIRE(scheduler->add(std::move(fourth)).ok());
  CHECK(follows.num_prefix_tokens == 12);
  Ids ids;
  while (scheduler->has_work())
    for (const auto& ended : step(*scheduler)) ids.push_back(ended->id);
  CHECK(ids == Ids{1, 3, 4, 2});
}

TEST_CASE("what fits passes a large head by, and leaves it the blocks that it needs",
          "[scheduler][EC-60]") {
  SchedulerConfig config = config_of("pars", {{"kv_bypass_window", 8}, {"prefill_weight", 0}});
  config.max_num_seqs = 8;
  config.num_blocks = 10;
  config.max_model_len = 40;
  const auto start = [&](const SchedulerConfig& with) {
    auto scheduler = *Scheduler::create(with);
    const auto add = [&](uint64_t id, int32_t prompt, double expected) {
      auto seq = sequence(id, tokens(prompt, 1000 * static_cast<int32_t>(id)), 3);
      seq->expected_output_tokens = expected;
      REQUIRE(scheduler->add(std::move(seq)).ok());
    };
    add(1, 20, 1);  // 5 blocks, then 6
    step(*scheduler);
    add(2, 30, 1);                                       // first, and needs 8
    for (const uint64_t id : {3, 4, 5}) add(id, 4, 90);  // 1 block, then 2
    return scheduler;
  };
  auto scheduler = start(config);
  using Rows = std::vector<std::pair<uint64_t, int32_t>>;
  const StepPlan& plan = scheduler->schedule(at(0));
  CHECK(summary(plan) == Rows{{1, 1}, {3, 4}, {4, 4}});  // 8 + 1 + 1 are all blocks
  scheduler->commit(results(plan));                      // 1 ends with its third token, in a step
  CHECK(summary(scheduler->schedule(at(0))) == Rows{{1, 1}, {3, 1}, {4, 1}});
  CHECK(scheduler->commit(results(plan)).size() == 1);
  CHECK(summary(scheduler->schedule(at(0))) ==
        Rows{{3, 1}, {4, 1}});  // 10 - 2 * 2 are too few for 8
  CHECK(scheduler->commit(results(plan)).size() == 2);
  CHECK(summary(scheduler->schedule(at(0))) == Rows{{2, 30}, {5, 4}});
  scheduler->commit(results(plan));
  scheduler->check_invariants();

  config.policy.settings["kv_bypass_window"] = 0;
  scheduler = start(config);
  CHECK(summary(scheduler->schedule(at(0))) == Rows{{1, 1}});
  config.policy = {"fcfs", {}};
  scheduler = start(config);
  CHECK(summary(scheduler->schedule(at(0))) == Rows{{1, 1}});
}

}  // namespace
}  // namespace tern
