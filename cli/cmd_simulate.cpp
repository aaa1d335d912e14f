// tern simulate: the scheduler on a virtual clock, policy beside policy.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/math.h"
#include "bench/simulate/expectations.h"
#include "bench/simulate/report.h"
#include "bench/support/trace.h"
#include "cli/commands.h"
#include "cli/support/output.h"
#include "engine/load/resolve_model.h"
#include "engine/ranker/ranker_file.h"

namespace tern {
namespace {

constexpr uint64_t kDefaultRequests = 4000;
constexpr int32_t kNumFolds = 5;
constexpr int64_t kMostBlocks = 100'000'000;

struct Options {
  std::vector<std::string> policies{"fcfs"};
  std::string trace, lengths, log, ranker;
  std::optional<double> rank_noise;
  bench::SyntheticLengths synthetic;
  std::vector<double> loads;
  std::optional<double> rate;
  double burstiness = 1;
  std::optional<uint64_t> num_requests;
  std::vector<uint64_t> seeds{0};
  uint64_t num_seeds = 1;
  std::string step_base = "20ms", step_per_token = "0", step_per_sequence = "0.2ms", step_cost;
  int32_t slots = 64, max_num_batched_tokens = 512, max_preemptions = 3;
  int32_t block_size = 0, max_tokens = 0;
  int64_t kv_blocks = 0, kv_tokens = 0;
  std::string prefix_cache = "auto", slo, starved_after = "120s";
  std::string tune, plot;
  std::optional<std::string> objective;
  std::vector<std::string> bounds;
  int num_threads = 0;
  bool as_json = false;
};

// What the options come to.
struct Plan {
  bench::Experiment experiment;
  std::optional<bench::StepCostFit> fit;
  std::optional<bench::RankInfo> rank;
  std::optional<bench::TuneOptions> tune;

  bench::SimulationReport report() const { return {experiment, fit, rank}; }
};

// ---- options ----

Status named(const char* flag, const Status& status) {
  return status.with_context(flag);
}

Status parse_time(const char* flag, const std::string& text, bool may_be_zero, double* out) {
  if (may_be_zero && text == "0") {
    *out = 0;
    return {};
  }
  const Result<double> seconds = bench::parse_seconds(text);
  if (!seconds.ok()) return named(flag, seconds.status());
  *out = *seconds;
  return {};
}

uint64_t number_of_requests(const Options& o, const bench::LoadSource& source) {
  const uint64_t wanted =
      o.num_requests.value_or(source.has_times ? source.rows.size() : kDefaultRequests);
  return source.has_times ? std::min<uint64_t>(wanted, source.rows.size()) : wanted;
}

Result<bench::LoadSource> read_source(const Options& o) {
  if (!o.trace.empty()) return bench::read_trace_source(o.trace);
  if (!o.lengths.empty()) return bench::read_lengths_source(o.lengths);
  if (!o.log.empty()) return bench::read_log_source(o.log);
  return bench::make_synthetic_source(o.synthetic, o.num_requests.value_or(kDefaultRequests));
}

Status set_step_cost(const Options& o, Plan* plan) {
  SimStepCost& cost = plan->experiment.simulation.cost;
  if (!o.step_cost.empty()) {
    Result<bench::StepCostFit> fit = bench::read_step_cost(o.step_cost);
    if (!fit.ok()) return named("--step-cost", fit.status());
    plan->fit = *fit;
    cost = fit->cost;
    return {};
  }
  double base = 0, token = 0, sequence = 0;
  TERN_TRY(parse_time("--step-base", o.step_base, true, &base));
  TERN_TRY(parse_time("--step-per-token", o.step_per_token, true, &token));
  TERN_TRY(parse_time("--step-per-sequence", o.step_per_sequence, true, &sequence));
  cost = {Seconds(base), Seconds(token), Seconds(sequence)};
  constexpr double kMostSeconds = 60;  // as simulated steps of ternd
  const double most = std::max({base, token, sequence});
  if (base + token + sequence <= 0 || most > kMostSeconds)
    return invalid_argument(
        "--step-base, --step-per-token, --step-per-sequence: a step takes time, and none of them "
        "is "
        "over 60 s");
  return {};
}

Status set_scheduler(const Options& o, bench::Experiment* e) {
  const bench::LoadSource& source = e->source;
  int64_t longest_prompt = 0;
  for (const bench::SourceRow& row : source.rows)
    longest_prompt = std::max<int64_t>(longest_prompt, row.input_tokens);
  const int32_t longest_answer = source.max_output_tokens();
  if (o.max_tokens > 0 && o.max_tokens < longest_answer)
    return invalid_argument("--max-tokens: must be at least the longest answer's " +
                            std::to_string(longest_answer) + ", is " +
                            std::to_string(o.max_tokens));
  e->simulation.max_tokens = o.max_tokens > 0 ? o.max_tokens : longest_answer;

  SchedulerConfig& s = e->scheduler;
  s.max_num_seqs = o.slots;
  s.max_num_batched_tokens = std::max(o.max_num_batched_tokens, o.slots);
  s.max_preemptions = o.max_preemptions;
  s.block_size = o.block_size > 0    ? o.block_size
                 : source.has_blocks ? bench::kTraceBlockTokens
                                     : SchedulerConfig().block_size;
  const int64_t context = longest_prompt + longest_answer;
  s.max_model_len = int32_t(std::min<int64_t>(context, INT32_MAX));
  const int64_t num_blocks = o.kv_blocks > 0   ? o.kv_blocks
                             : o.kv_tokens > 0 ? o.kv_tokens / s.block_size
                                               : o.slots * ceil_div(context, s.block_size);
  if (num_blocks * s.block_size < source.max_total_tokens() || num_blocks > kMostBlocks)
    return invalid_argument("--kv-tokens, --kv-blocks: must hold the longest request, of " +
                            std::to_string(source.max_total_tokens()) + " tokens, in at most " +
                            std::to_string(kMostBlocks) + " blocks; are " +
                            std::to_string(num_blocks) + " blocks of " +
                            std::to_string(s.block_size) + " tokens");
  s.num_blocks = int32_t(num_blocks);
  s.enable_prefix_caching =
      o.prefix_cache == "on" || (o.prefix_cache == "auto" && source.has_blocks);
  return {};
}

Status set_load(const Options& o, bench::Experiment* e) {
  if (!o.loads.empty() && o.rate) return invalid_argument("--load and --rate exclude each other");
  if (o.loads.empty() && !o.rate && !e->source.has_times)
    return invalid_argument("--load or --rate is needed: the requests have no times of their own");
  e->loads = o.loads;
  e->rate = o.rate;
  e->burstiness = o.burstiness;
  e->num_requests = number_of_requests(o, e->source);
  e->capacity = bench::capacity_of(e->source, o.slots, e->simulation.cost);
  if (o.seeds.size() > 1 && o.num_seeds > 1)
    return invalid_argument("--seeds counts from a single --seed on");
  e->seeds = o.seeds;
  for (uint64_t i = 1; i < o.num_seeds; ++i) e->seeds.push_back(o.seeds.front() + i);
  return {};
}

Status set_tune(const Options& o, Plan* plan) {
  if (o.tune.empty()) {
    if (!o.bounds.empty()) return invalid_argument("--bound goes with --tune");
    if (o.objective) return invalid_argument("--objective goes with --tune");
    return {};
  }
  const Result<bench::TuneRange> range = bench::parse_tune_range(o.tune);
  if (!range.ok()) return named("--tune", range.status());
  const Result<const bench::FigureKey*> objective =
      bench::parse_objective(o.objective.value_or("mean_per_token"));
  if (!objective.ok()) return named("--objective", objective.status());
  plan->tune = bench::TuneOptions{.range = *range, .objective = *objective};
  for (const std::string& text : o.bounds) {
    const Result<bench::FigureBound> bound = bench::parse_bound(text);
    if (!bound.ok()) return named("--bound", bound.status());
    plan->tune->bounds.push_back(*bound);
  }
  const bench::Experiment& e = plan->experiment;
  if (e.policies.size() != 1 || e.loads.size() > 1)
    return invalid_argument("--tune: needs one policy in --policies, and at most one --load");
  return {};
}

Status set_figures(const Options& o, bench::Experiment* e) {
  TERN_TRY(parse_time("--starved-after", o.starved_after, false, &e->figures.starved_after_s));
  if (o.slo.empty()) return {};
  Result<bench::ServiceLevel> slo = bench::parse_slo(o.slo);
  if (!slo.ok()) return named("--slo", slo.status());
  e->figures.slo = *slo;
  return {};
}

// What one run with this seed is told.
Result<bench::Expectation> expect(const Options& o, const bench::LoadSource& source,
                                  const Ranker* ranker, uint64_t seed) {
  if (o.rank_noise) return bench::noisy_expectation(source, *o.rank_noise, seed);
  if (ranker != nullptr) return bench::ranked_expectation(source, *ranker);
  return bench::cross_fitted_expectation(source, kNumFolds, seed);
}

// Every policy is told what a ranker says, as in a daemon that has one. Without a ranker and
// without noise, one is trained on the prompts where a policy reads scores.
Status set_expectations(const Options& o, Plan* plan) {
  bench::Experiment& e = plan->experiment;
  if (o.rank_noise && !o.ranker.empty())
    return invalid_argument("--rank-noise and --ranker exclude each other");
  const bool is_read = std::ranges::any_of(e.policies, &bench::SimPolicy::reads_scores);
  const bool is_needed = std::ranges::any_of(e.policies, &bench::SimPolicy::needs_ranker);
  if (!o.rank_noise && o.ranker.empty() && !is_read) return {};
  if (!o.rank_noise && !e.source.has_prompts) {
    if (o.ranker.empty() && !is_needed) return {};
    return invalid_argument(std::string(o.ranker.empty() ? "pars" : "--ranker") +
                            " needs prompts (--lengths), or --rank-noise TAU");
  }
  std::unique_ptr<Ranker> ranker;
  if (!o.ranker.empty()) {
    const Result<std::string> path = resolve_ranker(o.ranker);
    if (!path.ok()) return named("--ranker", path.status());
    Result<std::unique_ptr<Ranker>> opened = open_ranker(*path);
    if (!opened.ok()) return named("--ranker", opened.status());
    ranker = *std::move(opened);
  }
  plan->rank = bench::RankInfo{.from = o.rank_noise ? "noise"
                                       : ranker     ? o.ranker
                                                    : "cross-fitted",
                               .is_named = ranker != nullptr};
  for (const uint64_t seed : e.seeds) {
    Result<bench::Expectation> told = expect(o, e.source, ranker.get(), seed);
    if (!told.ok()) return told.status();
    plan->rank->tau += told->tau / double(e.seeds.size());
    e.expected.push_back(std::move(told->tokens));
  }
  return {};
}

// The source is read: what remains are mistakes of usage.
Result<Plan> make_plan(const Options& o, bench::LoadSource source) {
  Plan plan;
  bench::Experiment& e = plan.experiment;
  e.source = std::move(source);
  for (const std::string& text : o.policies) {
    Result<bench::SimPolicy> policy = bench::parse_sim_policy(text);
    if (!policy.ok()) return named("--policies", policy.status());
    e.policies.push_back(*std::move(policy));
  }
  TERN_TRY(set_step_cost(o, &plan));
  TERN_TRY(set_scheduler(o, &e));
  TERN_TRY(set_load(o, &e));
  TERN_TRY(set_figures(o, &e));
  TERN_TRY(set_tune(o, &plan));
  e.num_threads = o.num_threads > 0 ? o.num_threads : int(std::thread::hardware_concurrency());
  e.keeps_records = !o.plot.empty() && !plan.tune;
  for (const bench::SimPolicy& policy : e.policies) {
    const Result<std::unique_ptr<Scheduler>> made = bench::make_scheduler(policy, e.scheduler);
    if (!made.ok()) return named("--policies", made.status());
  }
  TERN_TRY(set_expectations(o, &plan));
  return plan;
}

// ---- the run ----

void print(const Options& o, const nlohmann::json& document, const std::string& table) {
  if (o.as_json)
    print_json(document);
  else
    std::cout << table << std::flush;
}

int run_tune(const Options& o, const Plan& plan) {
  const Result<bench::TuneResult> result = [&] {
    ProgressBar bar("simulate");
    return bench::tune(plan.experiment, *plan.tune, [&](double done) { bar.update(done); });
  }();
  if (!result.ok()) {
    fail(named("--tune", result.status()));
    return result.status().code() == Code::kInvalidArgument ? kExitUsage : kExitFailed;
  }
  const bench::SimulationReport report = plan.report();
  print(o, to_json(report, *plan.tune, *result), to_table(report, *plan.tune, *result));
  if (!o.plot.empty())
    if (const Status status = write_plots(o.plot, report, *plan.tune, *result); !status.ok())
      return fail(named("--plot", status));
  if (result->best || result->changes_nothing) return kExitDone;
  return fail("no value of " + result->path + " keeps the bounds");
}

int run(const Options& o) {
  Result<bench::LoadSource> source = read_source(o);
  if (!source.ok()) return fail(source.status());
  const Result<Plan> plan = make_plan(o, *std::move(source));
  if (!plan.ok()) {
    fail(plan.status());
    return kExitUsage;
  }
  if (plan->experiment.source.num_skipped > 0)
    std::cerr << "tern: " << plan->experiment.source.num_skipped
              << " requests of the log ended without a token and are not simulated" << std::endl;
  if (plan->tune) return run_tune(o, *plan);
  const Result<bench::ExperimentResult> result = [&] {
    ProgressBar bar("simulate");
    return bench::run_experiment(plan->experiment, [&](double done) { bar.update(done); });
  }();
  if (!result.ok()) return fail(result.status());
  const bench::SimulationReport report = plan->report();
  print(o, to_json(report, *result), to_table(report, *result));
  if (!o.plot.empty())
    if (const Status status = write_plots(o.plot, report, *result); !status.ok())
      return fail(named("--plot", status));
  return kExitDone;
}

// ---- flags ----

void add_source_options(CLI::App& c, Options& o) {
  c.add_option("--policies", o.policies,
               "Whom to compare, by name; pars:starve_quota=1 sets a key [fcfs]")
      ->delimiter(',')
      ->option_text("P,…");
  c.add_option("--trace", o.trace, "Requests of an Azure CSV or a Mooncake JSONL");
  c.add_option("--lengths", o.lengths, "JSON lines with prompt and length, its answer's tokens")
      ->excludes("--trace");
  c.add_option("--log", o.log, "Requests of a daemon's log, in any of its formats")
      ->excludes("--trace")
      ->excludes("--lengths");
  c.add_option(
      "--ranker", o.ranker,
      "What is expected of each prompt, by a file of tern rank train or a bundled ranker's name [5 "
      "folds of --lengths, each by a ranker that never saw it]");
  c.add_option("--rank-noise", o.rank_noise,
               "Expect the true lengths with noise, so that Kendall's tau-b with them is this")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("TAU");
  c.add_option("--input-len", o.synthetic.input_len, "Tokens of a random prompt [256]")
      ->check(CLI::Range(1, 100'000'000));
  c.add_option("--output-len", o.synthetic.output_len, "Tokens of its answer [128]")
      ->check(CLI::Range(1, 100'000'000));
  c.add_option("--range-ratio", o.synthetic.range_ratio,
               "Lengths vary by this share, up and down [0]")
      ->check(CLI::Range(0.0, 1.0));
  c.add_option("--load", o.loads,
               "Poisson arrivals at these shares of capacity, which is slots / (mean answer × step "
               "time of a full batch); stretches a trace's times")
      ->delimiter(',')
      ->check(CLI::Range(1e-3, 1e3))
      ->option_text("RHO,…");
  c.add_option("--rate", o.rate, "The same in requests a second")->check(CLI::Range(1e-6, 1e6));
  c.add_option("--burstiness", o.burstiness,
               "Shape of the gaps' Gamma distribution: 1 Poisson, less is burstier [1]")
      ->check(CLI::Range(1e-3, 1e6));
  c.add_option("--num-requests", o.num_requests, "So many [4000; a trace's or log's own number]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{10'000'000}));
  c.add_option("--seed", o.seeds, "Of rows, gaps and noise; several give medians: 1,2,3 [0]")
      ->delimiter(',');
  c.add_option("--seeds", o.num_seeds, "So many seeds, counting from --seed on [1]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1000}));
}

void add_engine_options(CLI::App& c, Options& o) {
  c.add_option("--slots", o.slots, "max_num_seqs [64]")->check(CLI::Range(1, 65535));
  c.add_option("--step-base", o.step_base, "What each step takes [20ms]")->option_text("TIME");
  c.add_option("--step-per-token", o.step_per_token, "And for each token of it [0]")
      ->option_text("TIME");
  c.add_option("--step-per-sequence", o.step_per_sequence, "And for each sequence [0.2ms]")
      ->option_text("TIME");
  c.add_option("--step-cost", o.step_cost, "Fit these to a file of tern bench step --json");
  c.add_option("--max-num-batched-tokens", o.max_num_batched_tokens, "Tokens of a step [512]")
      ->check(CLI::Range(1, 100'000'000));
  c.add_option("--kv-tokens", o.kv_tokens, "Tokens that the KV cache holds [enough for all slots]")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  c.add_option("--kv-blocks", o.kv_blocks, "The same in blocks")
      ->check(CLI::Range(int64_t{1}, kMostBlocks))
      ->excludes("--kv-tokens");
  c.add_option("--block-size", o.block_size, "Tokens of a block [16; 512 where a trace names them]")
      ->check(CLI::Range(1, 1024));
  c.add_option("--prefix-cache", o.prefix_cache,
               "auto, on or off; auto: where a trace names blocks [auto]")
      ->check(CLI::IsMember({"auto", "on", "off"}));
  c.add_option("--max-preemptions", o.max_preemptions, "Of one sequence [3]")
      ->check(CLI::Range(0, 1'000'000));
  c.add_option("--max-tokens", o.max_tokens, "What clients ask for at most [the longest answer]")
      ->check(CLI::Range(1, 100'000'000));
}

void add_result_options(CLI::App& c, Options& o) {
  c.add_option("--slo", o.slo, "Goodput: requests that keep ttft=200ms,tpot=50ms,e2el=2s")
      ->option_text("LIMITS");
  c.add_option("--starved-after", o.starved_after, "Who waits longer counts as starved [120s]")
      ->option_text("TIME");
  c.add_option("--tune", o.tune, "Search this key's best value: starve_quota=0:1:11")
      ->option_text("KEY=LO:HI[:STEPS]");
  c.add_option("--objective", o.objective, "What is best: a figure's name [mean_per_token]");
  c.add_option("--bound", o.bounds, "What must be kept: max_wait=30s, goodput=2")
      ->option_text("FIGURE=VALUE…");
  c.add_option("--threads", o.num_threads, "Runs at a time; 0 = all CPUs")
      ->check(CLI::Range(0, 1024));
  c.add_flag("--json", o.as_json, "Print one JSON document");
  c.add_option("--plot", o.plot, "Write SVG pictures into this folder");
}

}  // namespace

void add_simulate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("simulate", "Scheduling policies side by side, on a virtual clock");
  add_source_options(*command, *options);
  add_engine_options(*command, *options);
  add_result_options(*command, *options);
  command->footer(
      "Examples:\n  tern simulate --policies fcfs,priority --lengths lengths.jsonl --load 0.7,1.1 "
      "--slots 32\n  tern simulate --policies priority --log ternd.log --step-cost step.json \\\n"
      "    --tune reserved_seqs_interactive=0:16 --objective p99_ttft");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
