// tern bench serve: load on a server, and what its clients see of it.
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "bench/support/arrivals.h"
#include "bench/serve/grpc/grpc_transport.h"
#include "bench/serve/http_transport.h"
#include "bench/serve/load_driver.h"
#include "bench/support/output_file.h"
#include "bench/serve/plots.h"
#include "bench/serve/report.h"
#include "bench/serve/workload.h"
#include "cli/commands.h"
#include "cli/support/client.h"
#include "cli/support/diagnose.h"
#include "cli/support/output.h"

namespace tern {
namespace {

constexpr uint64_t kDefaultRequests = 100;
constexpr int32_t kWarmupConcurrency = 8;

struct Options {
  std::string server, http, endpoint = "completions", model;
  std::string rate, duration, cancel_after = "1s", slo, trace, dataset, prompt_as;
  std::string out, plot, policy_label, priority = "default";
  double burstiness = 1, speedup = 1, range_ratio = 0, cancel_rate = 0;
  std::optional<double> temperature;
  std::optional<uint64_t> num_requests;
  uint64_t warmup = 0, seed = 0;
  int32_t concurrency = 0, input_len = 256, output_len = 128, max_model_len = 0, vocab_size = 0;
  int connections = 1;
  bool ignore_eos = false, as_json = false, save_requests = false;
};

// The options that are more than a word, read.
struct Settings {
  std::optional<double> rate;  // infinity: all at once
  double duration_s = std::numeric_limits<double>::infinity();
  double cancel_after_s = 1;
  bench::ServiceLevel slo;
  bench::HttpUrl url;
};

// ---- Ctrl-C ----

std::atomic<int> interrupts = 0;

void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(kExitInterrupted);
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool is_interrupted() {
  return interrupts > 0;
}

// ---- options ----

Status named(const char* flag, const Status& status) {
  return status.with_context(flag);
}

Result<double> parse_rate(const std::string& text) {
  if (text == "inf") return std::numeric_limits<double>::infinity();
  const auto rate = parse_decimal<double>(text);
  if (!rate || *rate <= 0)
    return invalid_argument("must be requests a second over 0, or inf, is '" + text + "'");
  return *rate;
}

Status parse_time(const char* flag, const std::string& text, double* out) {
  if (text.empty()) return {};
  const Result<double> seconds = bench::parse_seconds(text);
  if (!seconds.ok()) return named(flag, seconds.status());
  *out = *seconds;
  return {};
}

Result<Settings> parse(const Options& o) {
  Settings out;
  if (o.rate.empty() && o.concurrency == 0 && o.trace.empty())
    return invalid_argument("one of --rate, --concurrency and --trace is needed");
  if (!o.trace.empty() && !o.dataset.empty())
    return invalid_argument("--trace and --dataset exclude each other");
  if (!o.rate.empty()) {
    const Result<double> rate = parse_rate(o.rate);
    if (!rate.ok()) return named("--rate", rate.status());
    out.rate = *rate;
  }
  TERN_TRY(parse_time("--duration", o.duration, &out.duration_s));
  TERN_TRY(parse_time("--cancel-after", o.cancel_after, &out.cancel_after_s));
  if (!o.slo.empty()) {
    Result<bench::ServiceLevel> slo = bench::parse_slo(o.slo);
    if (!slo.ok()) return named("--slo", slo.status());
    out.slo = *slo;
  }
  if (!o.http.empty()) {
    Result<bench::HttpUrl> url = bench::parse_http_url(o.http);
    if (!url.ok()) return named("--http", url.status());
    out.url = *std::move(url);
  }
  if (!o.http.empty() && o.priority != "default")
    return invalid_argument("--priority: the OpenAI API has no classes; use --server");
  return out;
}

std::unique_ptr<bench::Transport> make_transport(const Options& o, const Settings& settings) {
  const bench::RequestSettings common{o.ignore_eos, o.temperature, o.priority};
  if (o.http.empty())
    return bench::make_grpc_transport(
        {o.server.empty() ? default_server_address() : o.server, o.model, o.connections, common});
  return bench::make_http_transport(
      {settings.url,
       o.endpoint == "chat" ? bench::OpenAiEndpoint::kChat : bench::OpenAiEndpoint::kCompletions,
       o.model, common});
}

Result<bench::WorkloadOptions> workload_options(const Options& o, const Settings& settings) {
  bench::WorkloadOptions out{
      .input_len = o.input_len,
      .output_len = o.output_len,
      .range_ratio = o.range_ratio,
      .as_text = o.prompt_as.empty() ? !o.http.empty() : o.prompt_as == "text",
      .cancel_rate = o.cancel_rate,
      .cancel_after_s = settings.cancel_after_s,
      .seed = o.seed};
  if (!o.trace.empty()) {
    TERN_ASSIGN(out.trace, bench::read_trace(o.trace));
  }
  if (!o.dataset.empty()) {
    TERN_ASSIGN(out.dataset, bench::read_dataset(o.dataset));
  }
  return out;
}

// ---- the plan ----

uint64_t number_of_requests(const Options& o, const Settings& settings,
                            const bench::WorkloadOptions& workload) {
  if (o.num_requests) return *o.num_requests;
  const bool is_timed = std::isfinite(settings.duration_s);
  if (is_timed && settings.rate && std::isfinite(*settings.rate))
    return uint64_t(std::ceil(settings.duration_s * *settings.rate));
  if (!workload.trace.empty()) return workload.trace.size();
  if (is_timed) return std::numeric_limits<uint64_t>::max();
  return workload.dataset.empty() ? kDefaultRequests : workload.dataset.size();
}

std::vector<double> replay(const std::vector<bench::TraceRow>& trace, uint64_t count,
                           double speedup) {
  std::vector<double> at;
  for (size_t i = 0; i < std::min<uint64_t>(count, trace.size()); ++i)
    at.push_back(trace[i].at_s / speedup);
  return at;
}

bench::LoadPlan make_plan(const Options& o, const Settings& settings,
                          const bench::WorkloadOptions& options, const bench::Workload& workload) {
  bench::LoadPlan plan{.num_requests = number_of_requests(o, settings, options),
                       .max_concurrency = o.concurrency,
                       .send_for_s = settings.duration_s,
                       .request = [&workload](uint64_t i) { return workload.request(i); }};
  if (!options.trace.empty() && !settings.rate)
    plan.arrivals = replay(options.trace, plan.num_requests, o.speedup);
  else if (settings.rate && std::isfinite(*settings.rate))
    plan.arrivals = bench::draw_arrivals(plan.num_requests, *settings.rate, o.burstiness, o.seed);
  else if (settings.rate && o.concurrency == 0)
    plan.arrivals.assign(plan.num_requests, 0.0);  // all at once: what waits in the client shows
  return plan;
}

Status check_plan(const Options& o, const Settings& settings) {
  if (settings.rate && std::isinf(*settings.rate) && o.concurrency == 0 && !o.num_requests &&
      std::isfinite(settings.duration_s))
    return invalid_argument(
        "--rate inf with --duration needs --num-requests, or --concurrency: else it never ends "
        "sending");
  return {};
}

// A run of minutes must not end without its results.
Status check_outputs(const Options& o) {
  if (!o.out.empty())
    if (const Status status = bench::check_writable(o.out); !status.ok())
      return named("--out", status);
  if (!o.plot.empty())
    if (const Status status = bench::prepare_plots(o.plot); !status.ok())
      return named("--plot", status);
  return {};
}

// ---- progress ----

// A line that is rewritten on a terminal; a line every few seconds elsewhere.
class Progress {
 public:
  Progress(const bench::LoadPlan& plan, double duration_s)
      : num_planned_(plan.arrivals.empty() ? plan.num_requests : plan.arrivals.size()),
        duration_s_(duration_s),
        on_terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (on_terminal_) std::cerr << "\r\033[K" << std::flush;
  }

  void show(const bench::LoadProgress& p) {
    if (!on_terminal_ && p.elapsed_s < next_s_) return;
    next_s_ = p.elapsed_s + 5;
    const double since = p.elapsed_s - last_.elapsed_s;
    const double rate = since > 0 ? double(p.num_tokens - last_.num_tokens) / since : 0;
    if (since >= 1 || !on_terminal_) {
      last_ = p;
      tokens_per_s_ = rate;
    }
    char text[200];
    std::snprintf(text, sizeof text,
                  "%.0f s: %llu sent, %llu completed, %llu failed, %llu cancelled, %d in flight, "
                  "%.0f tokens/s",
                  p.elapsed_s, (unsigned long long)p.num_sent, (unsigned long long)p.num_completed,
                  (unsigned long long)p.num_failed, (unsigned long long)p.num_cancelled, p.num_live,
                  tokens_per_s_);
    if (on_terminal_)
      std::cerr << "\r\033[K" << bar(p) << ' ' << text << std::flush;
    else
      std::cerr << text << std::endl;
  }

 private:
  std::string bar(const bench::LoadProgress& p) const {
    constexpr int kWidth = 20;
    const uint64_t ended = p.num_completed + p.num_failed + p.num_cancelled;
    const double by_count = double(ended) / double(num_planned_);
    const double fraction = std::clamp(std::max(by_count, p.elapsed_s / duration_s_), 0.0, 1.0);
    const int filled = int(fraction * kWidth);
    return "[" + std::string(size_t(filled), '#') + std::string(size_t(kWidth - filled), '.') + "]";
  }

  const uint64_t num_planned_;
  const double duration_s_;
  const bool on_terminal_;
  double next_s_ = 1, tokens_per_s_ = 0;
  bench::LoadProgress last_;
};

// ---- the run ----

bench::LoadResult run_measured(const bench::LoadPlan& plan, bench::Transport& transport) {
  Progress progress(plan, plan.send_for_s);
  return bench::run_load(plan, transport, {is_interrupted, [&](const bench::LoadProgress& now) {
                                             progress.show(now);
                                           }});
}

// Requests of their own, so that the measured ones find no prefix of theirs in the server's cache.
bench::LoadResult run_warmup(const Options& o, const bench::Workload& workload,
                             bench::Transport& transport) {
  constexpr uint64_t kFirst = uint64_t{1} << 40;
  const int32_t concurrency = o.concurrency > 0 ? o.concurrency : kWarmupConcurrency;
  return bench::run_load({.num_requests = o.warmup,
                          .max_concurrency = concurrency,
                          .request =
                              [&](uint64_t i) {
                                bench::PlannedRequest request = workload.request(kFirst + i);
                                request.cancel_after_s.reset();
                                return request;
                              }},
                         transport, {is_interrupted, {}});
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", std::localtime(&now));
  return text;
}

bench::RunInfo describe_run(const Options& o, const Settings& settings, const bench::LoadPlan& plan,
                            const bench::LoadResult& result, const bench::Workload& workload) {
  bench::RunInfo info{
      .date = date_now(),
      .policy_label = o.policy_label,
      .source = !o.trace.empty()     ? o.trace
                : !o.dataset.empty() ? o.dataset
                                     : "random",
      .request_rate = settings.rate.value_or(std::numeric_limits<double>::infinity()),
      .burstiness = o.burstiness,
      .max_concurrency = o.concurrency,
      .num_prompts = result.records.size(),
      .seed = o.seed,
      .counts_from_schedule = plan.counts_from_schedule(),
      .interrupted = result.interrupted,
      .slo = settings.slo};
  // A replay has no rate of its own: what it offered on average.
  if (!settings.rate && plan.arrivals.size() > 1 && plan.arrivals.back() > 0)
    info.request_rate = double(plan.arrivals.size()) / plan.arrivals.back();
  for (uint64_t i = 0; i < info.num_prompts; ++i) info.num_clipped += workload.is_clipped(i);
  return info;
}

int exit_code(const bench::LoadResult& result, const bench::Metrics& metrics) {
  if (result.interrupted) return kExitInterrupted;
  if (metrics.completed + metrics.cancelled > 0) return kExitDone;
  return fail(metrics.failures.empty() ? std::string("no request was sent")
                                       : "every request failed: " + metrics.failures.front().code +
                                             ": " + metrics.failures.front().example);
}

int report(const Options& o, const bench::RunInfo& info, const bench::LoadResult& result) {
  const bench::Metrics metrics =
      bench::compute_metrics(result.records, result.duration_s, info.slo);
  nlohmann::json document = bench::to_json(info, metrics);
  if (o.save_requests) bench::add_requests(result.records, &document);
  if (o.as_json)
    print_json(document);
  else
    std::cout << bench::to_table(info, metrics) << std::flush;
  for (const std::string& warning : bench::warnings(info, metrics))
    std::cerr << "tern: warning: " << warning << std::endl;
  if (!o.out.empty())
    if (const Status status = bench::write_file(o.out, document.dump() + "\n"); !status.ok())
      return fail(status);
  if (!o.plot.empty()) {
    const bench::PlotInfo plot{bench::heading(info), info.slo, result.duration_s};
    if (const Status status = bench::write_plots(o.plot, plot, result.records); !status.ok())
      return fail(status);
  }
  return exit_code(result, metrics);
}

int fail_as(ExitCode code, const Status& status) {
  fail(status);
  return code;
}

int cannot_connect(const Options& o, const Status& status) {
  if (status.code() == Code::kCancelled) return fail_as(kExitInterrupted, status);
  if (o.http.empty()) {
    const std::string address = o.server.empty() ? default_server_address() : o.server;
    const std::string why = why_unreachable(address, Seconds(2));
    if (!why.empty()) return fail_as(kExitUnreachable, unreachable_server(address, why));
  }
  return fail_as(status.code() == Code::kUnavailable ? kExitUnreachable : kExitFailed, status);
}

int run(const Options& o) {
  const Result<Settings> settings = parse(o);
  if (!settings.ok()) return fail_as(kExitUsage, settings.status());
  if (const Status status = check_plan(o, *settings); !status.ok())
    return fail_as(kExitUsage, status);
  Result<bench::WorkloadOptions> options = workload_options(o, *settings);
  if (!options.ok()) return fail(options.status());
  if (const Status status = check_outputs(o); !status.ok()) return fail(status);

  catch_interrupts();
  std::unique_ptr<bench::Transport> transport = make_transport(o, *settings);
  Result<bench::ServerFacts> facts = transport->connect(is_interrupted);
  if (!facts.ok()) return cannot_connect(o, facts.status());
  if (o.max_model_len > 0) facts->max_model_len = o.max_model_len;
  if (o.vocab_size > 0) facts->vocab_size = o.vocab_size;
  const Result<bench::Workload> workload = bench::Workload::create(*options, *facts);
  if (!workload.ok()) return fail_as(kExitUsage, workload.status());

  const std::string backend = transport->name(), endpoint = transport->endpoint();
  if (o.warmup > 0) run_warmup(o, *workload, *transport);
  const bench::LoadPlan plan = make_plan(o, *settings, *options, *workload);
  const bench::LoadResult result = run_measured(plan, *transport);
  if (result.has_abandoned) (void)transport.release();  // streams that did not end still use it
  bench::RunInfo info = describe_run(o, *settings, plan, result, *workload);
  info.backend = backend;
  info.endpoint = endpoint;
  info.model = facts->model;
  return report(o, info, result);
}

void add_load_options(CLI::App& c, Options& o) {
  c.add_option("--rate", o.rate, "Open loop: requests a second, Poisson; inf: all at once")
      ->option_text("R");
  c.add_option("--burstiness", o.burstiness,
               "Shape of the gaps' Gamma distribution: 1 Poisson, less is burstier [1]")
      ->check(CLI::Range(1e-3, 1e6));
  c.add_option("--concurrency", o.concurrency,
               "Closed loop: so many live requests; with --rate or --trace their cap")
      ->check(CLI::Range(1, 1 << 20));
  c.add_option("--trace", o.trace,
               "Lengths, and without --rate times, of an Azure CSV or a Mooncake JSONL");
  c.add_option("--speedup", o.speedup, "Replay a trace so many times as fast [1]")
      ->check(CLI::Range(1e-6, 1e6));
  c.add_option("--num-requests", o.num_requests,
               "Send so many [100; a trace's or data set's own number]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000'000}));
  c.add_option("--duration", o.duration, "Send no longer than this: 30s, 5m")->option_text("TIME");
  c.add_option("--warmup", o.warmup, "Requests before those that are measured [0]")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1'000'000}));
  c.add_option("--cancel-rate", o.cancel_rate, "Share of requests that the client cancels [0]")
      ->check(CLI::Range(0.0, 1.0));
  c.add_option("--cancel-after", o.cancel_after, "So long after they were sent [1s]")
      ->option_text("TIME");
  c.add_option("--seed", o.seed, "Of lengths, prompts, gaps and draws [0]");
}

void add_request_options(CLI::App& c, Options& o) {
  c.add_option("--dataset", o.dataset,
               "JSON lines with prompt or messages, and max_tokens [random prompts]");
  c.add_option("--input-len", o.input_len, "Tokens of a random prompt [256]")
      ->check(CLI::Range(1, 100'000'000));
  c.add_option("--output-len", o.output_len, "Most tokens of an answer [128]")
      ->check(CLI::Range(1, 100'000'000));
  c.add_option("--range-ratio", o.range_ratio, "Lengths vary by this share, up and down [0]")
      ->check(CLI::Range(0.0, 1.0));
  c.add_option("--prompt-as", o.prompt_as,
               "Random prompts as token ids or as words [ids; over HTTP text]")
      ->check(CLI::IsMember({"ids", "text"}));
  c.add_option("--vocab-size", o.vocab_size, "Limit of random ids [the server's]")
      ->check(CLI::Range(2, 100'000'000));
  c.add_option("--max-model-len", o.max_model_len, "Clip lengths to this context [the server's]")
      ->check(CLI::Range(2, 100'000'000));
  c.add_option("--temperature", o.temperature, "0 = greedy [the server's default]")
      ->check(CLI::Range(0.0, 2.0));
  c.add_flag("--ignore-eos", o.ignore_eos, "Answers run to their full length");
  c.add_option("--priority", o.priority, "system, interactive, default or bulk")
      ->check(CLI::IsMember({"system", "interactive", "default", "bulk"}))
      ->option_text("CLASS");
}

void add_server_options(CLI::App& c, Options& o) {
  add_server_option(c, o.server);
  CLI::Option* http =
      c.add_option("--http", o.http, "Measure any OpenAI-compatible server: http://HOST:PORT");
  http->excludes(c.get_option("--server"));
  c.add_option("--endpoint", o.endpoint, "Of --http: completions or chat [completions]")
      ->check(CLI::IsMember({"completions", "chat"}))
      ->needs(http);
  c.add_option("--model", o.model, "Ask for this model [the one that is served]");
  c.add_option("--connections", o.connections, "gRPC connections that streams share [1]")
      ->check(CLI::Range(1, 256));
}

void add_result_options(CLI::App& c, Options& o) {
  c.add_option("--slo", o.slo, "Goodput: requests that keep ttft=200ms,tpot=50ms,e2el=2s")
      ->option_text("LIMITS");
  c.add_option("--policy-label", o.policy_label, "A name for this run in its results");
  c.add_flag("--json", o.as_json, "Print one JSON document (vLLM's keys)");
  c.add_option("--out", o.out, "Write that document to a file");
  c.add_flag("--save-requests", o.save_requests, "With every request's lengths and times in it");
  c.add_option("--plot", o.plot, "Write latency.svg and timeline.svg into this folder");
}

}  // namespace

void add_bench_serve(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App& group = command_group(app, "bench", "Measure how fast tern is");
  CLI::App* command =
      group.add_subcommand("serve", "Load on a server, and the latencies that clients see");
  add_server_options(*command, *options);
  add_load_options(*command, *options);
  add_request_options(*command, *options);
  add_result_options(*command, *options);
  command->footer(
      "Examples:\n  tern bench serve --rate 4 --num-requests 200 --slo ttft=500ms,tpot=50ms\n"
      "  tern bench serve --http http://127.0.0.1:8000 --concurrency 16 --duration 60s --json");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace tern
