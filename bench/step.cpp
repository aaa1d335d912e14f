#include "bench/step.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "bench/measure.h"
#include "bench/roofline.h"
#include "engine/serve/create.h"
#include "engine/step/engine_loop.h"

namespace tern {
namespace {

using nlohmann::json;

// Remembers that tokens came; the loop needs somebody to tell.
class CountingSink final : public TokenSink {
 public:
  void on_event(TokenEvent event) override {
    num_tokens += event.token_ids.size();
    if (event.finished) status = event.finished->status;
  }
  size_t num_tokens = 0;
  Status status;
};

// Keeps how long each step's forward pass and its sampling took.
class TimedRunner final : public ModelRunner {
 public:
  explicit TimedRunner(ModelRunner& runner) : runner_(runner) {}

  MatView<const float> execute(const StepBatch& batch) override { return runner_.execute(batch); }
  void launch(const StepBatch& batch, std::span<const RowRequest> rows) override {
    num_tokens = double(batch.num_tokens());
    num_sequences = double(batch.num_seqs());
    runner_.launch(batch, rows);
  }
  StepOutput& wait() override {
    StepOutput& output = runner_.wait();
    forward_seconds = output.forward_time.count();
    sampling_seconds = output.sampling_time.count();
    return output;
  }
  void bind_thread() override { runner_.bind_thread(); }
  int32_t rope_variant(int64_t num_positions) const override {
    return runner_.rope_variant(num_positions);
  }

  // Of the last step.
  double forward_seconds = 0, sampling_seconds = 0, num_tokens = 0, num_sequences = 0;

 private:
  ModelRunner& runner_;
};

struct Series {
  std::vector<double> tokens_per_s;  // one a repeat
  std::vector<double> step_seconds, forward_seconds, sampling_seconds, step_tokens, step_sequences;
  // Where kernels are timed: those of the step that spent least beyond them, and how much that was.
  KernelLog::Entries kernels;
  double beyond_kernels = 1e9;
};

double kernel_seconds(const KernelLog::Entries& entries) {
  double sum = 0;
  for (const auto& [key, entry] : entries) sum += entry.seconds;
  return sum;
}

struct Run {
  EngineLoop& loop;
  const BenchStepOptions& options;
  int32_t vocab_size;
  KernelLog& log;
  const TimedRunner& runner;
  uint64_t next_id = 1;

  // One batch from submission to its last token. Prefill ends when every sequence has a token.
  Status measure(int32_t batch, Series& prefill, Series& decode) {
    std::vector<std::shared_ptr<CountingSink>> sinks;
    for (int32_t i = 0; i < batch; ++i) {
      sinks.push_back(std::make_shared<CountingSink>());
      loop.add({next_id, random_request(next_id), sinks.back(), std::chrono::steady_clock::now()});
      ++next_id;
    }
    const auto all_started = [&] {
      return std::all_of(sinks.begin(), sinks.end(),
                         [](const auto& s) { return s->num_tokens > 0; });
    };
    run_phase(prefill, double(batch) * options.prefill, all_started);
    run_phase(decode, double(batch) * (options.decode - 1), [] { return false; });
    for (const auto& sink : sinks) TERN_TRY(sink->status);
    return {};
  }

  void run_phase(Series& series, double tokens, const std::function<bool()>& done) {
    const TimePoint start = std::chrono::steady_clock::now();
    while (loop.has_work() && !done()) {
      const TimePoint step_start = std::chrono::steady_clock::now();
      log.clear();
      loop.step();
      series.step_seconds.push_back(seconds_since(step_start));
      series.forward_seconds.push_back(runner.forward_seconds);
      series.sampling_seconds.push_back(runner.sampling_seconds);
      series.step_tokens.push_back(runner.num_tokens);
      series.step_sequences.push_back(runner.num_sequences);
      const double beyond = series.step_seconds.back() - kernel_seconds(log.entries());
      if (beyond >= series.beyond_kernels) continue;
      series.beyond_kernels = beyond;
      series.kernels = log.entries();
    }
    if (tokens > 0) series.tokens_per_s.push_back(tokens / seconds_since(start));
  }

  Request random_request(uint64_t id) const {
    Request r;
    for (int32_t i = 0; i < options.prefill; ++i)
      r.prompt_token_ids.push_back(static_cast<int32_t>(
          random_bits(options.seed, RngStream::kTest, id << 20 | uint64_t(i)) % vocab_size));
    r.sampling.temperature = options.temperature;
    r.sampling.top_p = options.top_p;
    r.sampling.top_k = options.top_k;
    r.sampling.seed = id;
    r.sampling.max_tokens = options.decode;
    r.sampling.ignore_eos = true;
    r.bypass_prefix_cache = true;
    return r;
  }
};

void add_profile(const Series& s, json& row) {
  row["kernels"] = json::array();
  for (const auto& [key, entry] : s.kernels)
    row["kernels"].push_back({{"op", key.first},
                              {"kernel", key.second},
                              {"calls", entry.calls},
                              {"us", entry.seconds * 1e6}});
  row["kernels_us"] = kernel_seconds(s.kernels) * 1e6;
  row["beyond_kernels_us"] = s.beyond_kernels * 1e6;
}

void add_times(const Series& s, json& row) {
  row["forward_ms"] = median(s.forward_seconds) * 1e3;
  row["sampling_ms"] = median(s.sampling_seconds) * 1e3;
}

/// Every step reads all weights once.
void add_dram_share(double weight_bytes, double dram_gb_per_s, json& row) {
  row["gb_per_s"] = weight_bytes / (row["p50_ms"].get<double>() * 1e6);
  row["dram_share"] = row["gb_per_s"].get<double>() / dram_gb_per_s;
}

json to_row(const char* phase, int32_t batch, const Series& s) {
  return {{"phase", phase},
          {"batch", batch},
          {"tokens_per_s", median(s.tokens_per_s)},
          {"best_tokens_per_s", *std::max_element(s.tokens_per_s.begin(), s.tokens_per_s.end())},
          {"p50_ms", median(s.step_seconds) * 1e3},
          {"min_ms", *std::min_element(s.step_seconds.begin(), s.step_seconds.end()) * 1e3},
          {"step_tokens", median(s.step_tokens)},
          {"step_sequences", median(s.step_sequences)}};
}

Status check(const BenchStepOptions& o) {
  if (o.prefill < 1 || o.decode < 2 || o.repeat < 1 || o.batch.empty())
    return invalid_argument("--prefill >= 1, --decode >= 2, --repeat >= 1 and --batch are needed");
  for (const int32_t b : o.batch)
    if (b < 1 || b > 4096) return invalid_argument("--batch: must be from 1 to 4096");
  SamplingParams sampling;
  sampling.temperature = o.temperature;
  sampling.top_p = o.top_p;
  sampling.top_k = o.top_k;
  return sampling.validate();
}

}  // namespace

Result<json> bench_step(const BenchStepOptions& options,
                        const std::function<void(double)>& progress) {
  TERN_TRY(check(options));
  TERN_ASSIGN(const Isa isa, selected_isa());
  EngineConfig config;
  config.model_dir = options.model;
  config.compute = options.compute;
  config.num_threads = options.num_threads;
  config.device = options.device;
  config.max_model_len = options.prefill + options.decode;
  config.scheduler.max_num_seqs = *std::max_element(options.batch.begin(), options.batch.end());
  config.scheduler.max_num_batched_tokens =
      std::max(config.scheduler.max_num_batched_tokens, config.scheduler.max_num_seqs);
  KernelLog log;
  if (options.profile) config.kernel_log = &log;
  TERN_ASSIGN(EngineParts parts, load_engine_parts(config, options.on_load));
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, Scheduler::create(parts.scheduler));
  const SteadyClock clock;
  const DecodeStrategies strategies(parts.assets.tokenizer.get(), parts.assets.info.eos_token_ids);
  TimedRunner runner(*parts.runner);
  EngineLoop loop(std::move(scheduler), runner, strategies, parts.assets.info.vocab_size, clock,
                  nullptr);

  Run run{loop, options, parts.assets.info.vocab_size, log, runner};
  Series discard;  // the first pass touches all memory
  TERN_TRY(run.measure(options.batch.front(), discard, discard));
  std::map<int32_t, std::pair<Series, Series>> series;
  std::vector<double> dram_gb_per_s;
  const int threads = thread_count(options.num_threads);
  for (int32_t r = 0; r < options.repeat; ++r) {
    if (options.dram) {
      ThreadPool pool(threads);
      TERN_ASSIGN(const Rate rate, measure_dram_read(isa, pool, {}));
      dram_gb_per_s.push_back(rate.best * 1e-9);
    }
    for (const int32_t b : options.batch)
      TERN_TRY(run.measure(b, series[b].first, series[b].second));
    progress(double(r + 1) / options.repeat);
  }
  json rows = json::array();
  for (const auto& [batch, phases] : series) {
    rows.push_back(to_row("prefill", batch, phases.first));
    rows.push_back(to_row("decode", batch, phases.second));
    add_times(phases.second, rows.back());
    if (options.profile) add_profile(phases.second, rows.back());
    if (options.dram)
      add_dram_share(double(parts.assets.info.weight_bytes), median(dram_gb_per_s), rows.back());
  }
  json result{{"rows", rows},
              {"cpu", cpu_info().model_name},
              {"isa", isa_name(isa)},
              {"threads", threads},
              {"model", parts.assets.info.name},
              {"format", parts.assets.info.weight_format}};
  if (options.dram) result["dram_gb_per_s"] = median(dram_gb_per_s);
  return result;
}

}  // namespace tern
