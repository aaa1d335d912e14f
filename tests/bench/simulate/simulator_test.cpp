#include "bench/simulate/simulator.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "bench/simulate/experiment.h"
#include "bench/simulate/report.h"

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

// A step takes 10 ms + 1 ms a sequence, prompts are computed in one step.
constexpr SimStepCost kCost{Seconds(0.010), Seconds(0), Seconds(0.001)};

SchedulerConfig config(int32_t slots, int32_t num_blocks = 1000) {
  return {.max_num_seqs = slots,
          .max_num_batched_tokens = 512,
          .num_blocks = num_blocks,
          .block_size = 16,
          .max_model_len = 4096,
          .enable_prefix_caching = false};
}

LoadSource source_of(std::vector<SourceRow> rows) {
  return {.name = "test", .rows = std::move(rows), .has_times = true};
}

SimOutcome simulate_all(const SchedulerConfig& scheduler, const LoadSource& source,
                        SimulationOptions options = {.cost = kCost, .max_tokens = 1000}) {
  const auto arrivals = make_arrivals(source, {.num_requests = source.rows.size()});
  auto made = Scheduler::create(scheduler);
  REQUIRE(made.ok());
  auto outcome = simulate(*std::move(made), source, arrivals, options);
  REQUIRE(outcome.ok());
  return *std::move(outcome);
}

}  // namespace

TEST_CASE("times of requests that share a slot, by hand", "[bench][simulate]") {
  const SimOutcome run =
      simulate_all(config(1), source_of({{.at_s = 0, .input_tokens = 5, .output_tokens = 3},
                                         {.at_s = 0.011, .input_tokens = 5, .output_tokens = 1},
                                         {.at_s = 1, .input_tokens = 600, .output_tokens = 2}}));
  REQUIRE(run.records.size() == 3);
  const SimRecord &first = run.records[0], &second = run.records[1], &third = run.records[2];
  // Three steps of 11 ms: the prompt's gives the first token.
  CHECK(first.admitted_s == 0);
  CHECK(first.first_token_s == Approx(0.011));
  CHECK(first.end_s == Approx(0.033));
  // It comes during the second step and waits for the slot.
  CHECK(second.wait_s() == Approx(0.022));
  CHECK(second.end_s == Approx(0.044));
  CHECK(second.ttft_s() == second.e2el_s());
  // Nothing happens between; 600 tokens are two steps.
  CHECK(third.admitted_s == Approx(1));
  CHECK(third.ttft_s() == Approx(0.022));
  CHECK(third.e2el_s() == Approx(0.033));
  CHECK((first.completed && second.completed && third.completed));
  CHECK(run.end_s == Approx(1.033));
  CHECK(run.busy_s == Approx(0.077));
}

TEST_CASE("a batch takes what its sequences and tokens cost", "[bench][simulate]") {
  const SimStepCost cost{Seconds(0.010), Seconds(0.0001), Seconds(0.001)};
  const SimOutcome run = simulate_all(config(4),
                                      source_of({{.input_tokens = 20, .output_tokens = 2},
                                                 {.input_tokens = 30, .output_tokens = 2}}),
                                      {.cost = cost, .max_tokens = 2});
  const double prefill = 0.010 + 50 * 0.0001 + 2 * 0.001, decode = 0.010 + 2 * 0.0001 + 2 * 0.001;
  CHECK(run.records[0].first_token_s == Approx(prefill));
  CHECK(run.records[1].end_s == Approx(prefill + decode));
}

TEST_CASE("equal block names are equal prefixes, all else differs", "[bench][simulate]") {
  SchedulerConfig scheduler = config(1, 100);
  scheduler.block_size = 512;
  scheduler.max_model_len = 10000;
  scheduler.enable_prefix_caching = true;
  LoadSource source = source_of(
      {{.input_tokens = 1100, .output_tokens = 1, .blocks = {1, 2, 3}},
       {.input_tokens = 1100, .output_tokens = 1, .blocks = {1, 2, 4}},  // two blocks of 512
       {.input_tokens = 1100, .output_tokens = 1, .blocks = {9, 2, 3}},  // differs from its first
       {.input_tokens = 1100, .output_tokens = 1, .blocks = {1}},        // one
       {.input_tokens = 1100, .output_tokens = 1, .blocks = {}}});       // none
  const SimOutcome run = simulate_all(scheduler, source);
  CHECK(run.stats.prefix_cache_hit_tokens == 3 * 512);
  CHECK(run.stats.prefix_cache_query_tokens == 5 * 1100);
  // Names beyond 31 bits are kept apart.
  source = source_of({{.input_tokens = 600, .output_tokens = 1, .blocks = {uint64_t{1} << 40, 2}},
                      {.input_tokens = 600, .output_tokens = 1, .blocks = {uint64_t{1} << 41, 2}}});
  CHECK(simulate_all(scheduler, source).stats.prefix_cache_hit_tokens == 0);
}

TEST_CASE("a full KV cache preempts, or fails all that runs", "[bench][simulate]") {
  // 10 blocks hold 160 tokens: two requests of up to 100.
  const LoadSource source = source_of({{.input_tokens = 40, .output_tokens = 60},
                                       {.input_tokens = 40, .output_tokens = 60},
                                       {.at_s = 5, .input_tokens = 40, .output_tokens = 60}});
  SimulationOptions options{.cost = kCost, .max_tokens = 60};
  const SimOutcome preempted = simulate_all(config(2, 10), source, options);
  CHECK(preempted.stats.num_preemptions > 0);
  CHECK(preempted.records[1].num_preemptions > 0);
  for (const SimRecord& record : preempted.records) CHECK(record.completed);

  options.fails_all_when_kv_is_full = true;
  const SimOutcome failed = simulate_all(config(2, 10), source, options);
  CHECK_FALSE(failed.records[0].completed);
  CHECK_FALSE(failed.records[1].completed);
  CHECK(failed.records[2].completed);  // came later, and is alone
  const Figures figures = compute_figures(failed, source, {});
  CHECK((figures.failed == 2 && figures.completed == 1));
}

TEST_CASE("figures of hand-made records", "[bench][simulate][figures]") {
  const LoadSource source = source_of({{.output_tokens = 10, .tenant = "a"},
                                       {.output_tokens = 2, .tenant = "a"},
                                       {.output_tokens = 1, .tenant = "b"},
                                       {.output_tokens = 5, .tenant = "b"}});
  SimOutcome outcome{.end_s = 4, .busy_s = 1};
  outcome.records = {{.row = 0,
                      .arrival_s = 0,
                      .admitted_s = 0.5,
                      .first_token_s = 1,
                      .end_s = 2,
                      .completed = true},
                     {.row = 1,
                      .arrival_s = 1,
                      .admitted_s = 3,
                      .first_token_s = 3,
                      .end_s = 3.5,
                      .completed = true},
                     {.row = 2,
                      .arrival_s = 1,
                      .admitted_s = 1,
                      .first_token_s = 2,
                      .end_s = 2,
                      .completed = true},
                     {.row = 3, .arrival_s = 1, .admitted_s = 1, .end_s = 2}};
  const Figures f =
      compute_figures(outcome, source, {.slo = {.ttft_s = 1.5}, .starved_after_s = 1.9});
  CHECK((f.completed == 3 && f.failed == 1));
  CHECK(f.mean_per_token_ms == Approx((200 + 1250 + 1000) / 3.0));
  CHECK(f.max_ttft_ms == Approx(2000));
  CHECK(f.p50_e2el_ms == Approx(2000));
  CHECK(f.max_wait_ms == Approx(2000));
  CHECK(f.starved == 1);
  CHECK(f.goodput == Approx(2 / 4.0));
  CHECK(f.output_throughput == Approx(13 / 4.0));
  // Rates 5, 0.8 and 1; of tenants 12 / 4.5 and 1.
  CHECK(f.fairness == Approx(6.8 * 6.8 / (3 * (25 + 0.64 + 1))));
  CHECK(f.tenant_fairness == Approx(std::pow(12 / 4.5 + 1, 2) / (2 * (std::pow(12 / 4.5, 2) + 1))));
  CHECK(jain_index({}) == 1);
  CHECK(jain_index({3, 3, 3}) == Approx(1));
  CHECK(jain_index({7, 0, 0, 0}) == Approx(0.25));
}

namespace {

Experiment small_experiment() {
  Experiment e;
  for (int i = 0; i < 40; ++i)
    e.source.rows.push_back(
        {.input_tokens = 20,
         .output_tokens = 1 + i * 7 % 60,
         .priority = i % 4 == 0 ? PriorityClass::kInteractive : PriorityClass::kBulk});
  e.source.name = "small";
  e.policies = {*parse_sim_policy("fcfs"), *parse_sim_policy("priority")};
  e.seeds = {1, 2, 3};
  e.loads = {0.5, 1.5};
  e.num_requests = 200;
  e.scheduler = config(4);
  e.simulation = {.cost = kCost, .max_tokens = 60};
  e.capacity = capacity_of(e.source, 4, kCost);
  return e;
}

}  // namespace

TEST_CASE("an experiment's documents are equal, whatever the threads", "[bench][simulate]") {
  Experiment experiment = small_experiment();
  const auto document = [&] {
    const auto result = run_experiment(experiment, {});
    REQUIRE(result.ok());
    return to_json({experiment, {}, {}}, *result);
  };
  const nlohmann::json one = document();
  experiment.num_threads = 3;
  CHECK(document().dump() == one.dump());
  REQUIRE(one["rows"].size() == 2 * 2 * 3);
  REQUIRE(one["medians"].size() == 2 * 2);
  // slots / (mean length × step time of a full batch)
  CHECK(one["capacity"].get<double>() ==
        Approx(4 / (experiment.source.mean_output_tokens() * 0.014)));
  for (const char* key : {"policy", "load", "seed", "mean_per_token_ms", "mean_ttft_ms",
                          "mean_e2el_ms", "p99_ttft_ms", "p99_e2el_ms", "max_wait_ms", "goodput",
                          "preemptions", "prefix_hit_rate", "fairness"})
    CHECK(one["rows"][0].contains(key));
  for (const nlohmann::json& row : one["rows"]) CHECK(row["completed"] == 200);
  // The median is that of the three seeds' rows, and the load is felt.
  std::vector<double> means;
  for (int i = 0; i < 3; ++i) means.push_back(one["rows"][i]["mean_e2el_ms"].get<double>());
  std::ranges::sort(means);
  CHECK(one["medians"][0]["mean_e2el_ms"].get<double>() == means[1]);
  CHECK(means[0] != means[2]);
  CHECK(one["medians"][2]["mean_ttft_ms"].get<double>() >
        2 * one["medians"][0]["mean_ttft_ms"].get<double>());
  CHECK(one["medians"][1]["per_token_gain"].get<double>() ==
        Approx(one["medians"][0]["mean_per_token_ms"].get<double>() /
               one["medians"][1]["mean_per_token_ms"].get<double>()));
}

TEST_CASE("a key is tuned: the curve, the best value within bounds, YAML",
          "[bench][simulate][tune]") {
  Experiment experiment = small_experiment();
  experiment.policies.erase(experiment.policies.begin());
  experiment.loads = {1.5};
  TuneOptions options{.range = *parse_tune_range("reserved_seqs_interactive=0:3:4"),
                      .objective = *parse_objective("mean_e2el")};
  const auto free = tune(experiment, options, {});
  REQUIRE(free.ok());
  CHECK(free->path == "policy.reserved_seqs_interactive");
  REQUIRE(free->curve.size() == 4);
  REQUIRE(free->best);
  for (const TunePoint& point : free->curve)
    CHECK(point.figures.mean_e2el_ms >= free->curve[*free->best].figures.mean_e2el_ms);

  // A bound that the best value breaks moves the choice; one that nobody keeps leaves none.
  const double limit = free->curve[*free->best].figures.max_wait_ms;
  options.objective = *parse_objective("max_wait");
  const auto worst = std::ranges::max_element(
      free->curve, {}, [](const TunePoint& point) { return point.figures.max_wait_ms; });
  CHECK(worst->figures.max_wait_ms > limit);
  options.bounds = {*parse_bound("max_wait=1us")};
  const auto none = tune(experiment, options, {});
  REQUIRE(none.ok());
  CHECK_FALSE(none->best);
  const SimulationReport report{experiment, {}, {}};
  CHECK(yaml_of(report, *none).empty());
  CHECK(yaml_of(report, *free) ==
        "scheduler:\n  policy: priority\npolicy:\n  reserved_seqs_interactive: " +
            std::to_string(int(free->curve[*free->best].value)) + "\n");
  CHECK_THAT(to_table({experiment, {}, {}}, options, *none), Contains("no value keeps the bounds"));

  options.range.key = "starve";
  CHECK_THAT(tune(experiment, options, {}).status().message(),
             Contains("'starve'") && Contains("reserved_seqs_interactive"));
}

TEST_CASE("tuning goes on between the best value's neighbours", "[bench][simulate][tune]") {
  Experiment experiment = small_experiment();
  experiment.policies.resize(1);
  experiment.loads = {1.2};
  const auto result = tune(experiment,
                           {.range = *parse_tune_range("scheduler.max_num_seqs=1:17:3"),
                            .objective = *parse_objective("mean_e2el_ms")},
                           {});
  REQUIRE(result.ok());
  CHECK(result->path == "scheduler.max_num_seqs");
  CHECK(result->curve.size() > 3);
  CHECK(std::ranges::is_sorted(result->curve, {}, &TunePoint::value));
}

TEST_CASE("the lines of a tuned key are all that was simulated", "[bench][simulate][tune]") {
  const TuneResult of_policy{.path = "policy.starve_s", .curve = {{.value = 15.75}}, .best = 0};
  const TuneResult of_scheduler{
      .path = "scheduler.max_num_seqs", .curve = {{.value = 12}}, .best = 0};
  Experiment experiment;
  experiment.policies = {*parse_sim_policy("pars:starve_quota=0.5:starve_s=7")};
  const RankInfo ranker{.from = "tern-stories", .is_named = true};
  CHECK(yaml_of({experiment, {}, ranker}, of_policy) ==
        "scheduler:\n  policy: pars\n  ranker: \"tern-stories\"\n"
        "policy:\n  starve_quota: 0.5\n  starve_s: 15.75\n");
  // What only a simulation has is no ranker for a daemon.
  CHECK(yaml_of({experiment, {}, RankInfo{.from = "noise"}}, of_scheduler) ==
        "scheduler:\n  max_num_seqs: 12\n  policy: pars\n"
        "policy:\n  starve_quota: 0.5\n  starve_s: 7\n");
  experiment.policies = {*parse_sim_policy("vllm-fcfs")};
  CHECK(yaml_of({experiment, {}, {}}, of_scheduler) == "scheduler:\n  max_num_seqs: 12\n");
}

TEST_CASE("a key that changes nothing has no best value", "[bench][simulate][tune]") {
  Experiment experiment = small_experiment();
  experiment.policies = {*parse_sim_policy("sjf_prompt")};
  experiment.loads = {0.01};
  TuneOptions options{.range = *parse_tune_range("starve_s=1000:2000:4"),
                      .objective = *parse_objective("mean_e2el")};
  const auto flat = tune(experiment, options, {});
  REQUIRE(flat.ok());
  CHECK(flat->changes_nothing);
  CHECK_FALSE(flat->best);
  CHECK(flat->curve.size() == 4);
  const SimulationReport report{experiment, {}, {}};
  CHECK(yaml_of(report, *flat).empty());
  CHECK_THAT(to_table(report, options, *flat),
             Contains("policy.starve_s changes nothing here: mean_e2el_ms is"));
  // Where nothing is kept, that is what counts.
  options.bounds = {*parse_bound("mean_e2el=1us")};
  CHECK_FALSE(tune(experiment, options, {})->changes_nothing);
}

TEST_CASE("policies that read scores say so where they are told none", "[bench][simulate][tune]") {
  Experiment experiment = small_experiment();
  experiment.policies = {*parse_sim_policy("fcfs"), *parse_sim_policy("hrrn"),
                         *parse_sim_policy("sgl-hrrn")};
  experiment.loads = {0.5};
  const auto alone = run_experiment(experiment, {});
  REQUIRE(alone.ok());
  const SimulationReport report{experiment, {}, {}};
  CHECK_THAT(to_table(report, *alone), Contains("\nhrrn reads a ranker's scores and is told none"));
  CHECK(to_json(report, *alone)["without_scores"] == nlohmann::json{"hrrn"});
  experiment.expected.assign(experiment.seeds.size(),
                             std::vector<double>(experiment.source.rows.size(), 5.0));
  CHECK(to_json(report, *alone)["without_scores"].empty());
}

TEST_CASE("ranges, bounds and objectives that are wrong are named", "[bench][simulate][tune]") {
  for (const char* wrong :
       {"", "k", "k=", "k=1", "=1:2", "k=2:1", "k=1:1", "k=a:2", "k=1:2:1", "k=1:2:x", "k=1:2:3:4"})
    CHECK_THAT(parse_tune_range(wrong).status().message(),
               Contains("'" + std::string(wrong) + "'"));
  CHECK(parse_tune_range("policy.k=0:1")->key == "k");
  CHECK_THAT(parse_bound("slow=3").status().message(), Contains("max_wait_ms"));
  CHECK_THAT(parse_bound("max_wait_ms=x").status().message(), Contains("'x'"));
  CHECK_THAT(parse_bound("goodput=3s").status().message(), Contains("goodput"));
  CHECK(parse_bound("max_wait=30s")->value == 30000);
  CHECK(parse_bound("max_wait_ms=30s")->value == 30000);
  CHECK_THAT(parse_bound("max_wait=20").status().message(),
             Contains("max_wait: must be a time") && Contains("'20'"));
  CHECK(parse_bound("goodput=3")->is_kept({.goodput = 3.5}));
  CHECK_FALSE(parse_bound("max_wait_ms=3")->is_kept({.max_wait_ms = 3.5}));
  CHECK_THAT(parse_objective("x").status().message(), Contains("goodput") && Contains("'x'"));
}

TEST_CASE("policies by name, with keys", "[bench][simulate][policies]") {
  const auto policy = parse_sim_policy("priority:reserved_seqs_system=2");
  REQUIRE(policy.ok());
  CHECK(policy->label == "priority:reserved_seqs_system=2");
  CHECK(policy->config.settings.at("reserved_seqs_system") == 2);
  CHECK_THAT(parse_sim_policy("ljf").status().message(), Contains("'ljf'") && Contains("fcfs"));
  CHECK_THAT(parse_sim_policy("fcfs:a=1").status().message(), Contains("no key 'a'"));
  CHECK_THAT(parse_sim_policy("priority:reserved_seqs_system").status().message(),
             Contains("key=number"));
  const auto wrong =
      make_scheduler(*parse_sim_policy("priority:reserved_seqs_system=9"), config(4));
  CHECK_THAT(wrong.status().message(), Contains("reserved_seqs_system"));
}
