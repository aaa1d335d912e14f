#include "bench/scheduler.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/cpu_info.h"
#include "base/rng.h"
#include "bench/measure.h"
#include "scheduler/scheduler.h"

namespace tern {
namespace {

constexpr int32_t kMostExpected = 1000;
constexpr int32_t kBlockSize = 16;

// Each sequence runs for as many steps as sequences run, and the first for twice as many.
int32_t most_tokens(const BenchSchedulerOptions& options) {
  return std::max(kMostExpected, 4 * options.num_running);
}

/// The scheduler with so many waiting, and a world that steps it.
class Load {
 public:
  Load(const BenchSchedulerOptions& options, std::unique_ptr<Scheduler> scheduler)
      : options_(options), scheduler_(std::move(scheduler)) {}

  Status fill(int32_t num_waiting) {
    for (int32_t i = 0; i < num_waiting + options_.num_running; ++i) TERN_TRY(add());
    // The first sequences end one by one, so that from here on each step ends one.
    for (int32_t i = 0; i < 2 * options_.num_running; ++i) TERN_TRY(step().status());
    return {};
  }

  /// Seconds that the scheduler took of it.
  Result<double> step() {
    now_ += std::chrono::milliseconds(10);
    const uint64_t scored = waiting_[draw() % waiting_.size()];
    std::unique_ptr<Sequence> next = make_sequence();
    const double expected = double(1 + draw() % kMostExpected);
    const TimePoint start = std::chrono::steady_clock::now();
    scheduler_->rescore(scored, expected, 0);
    const uint64_t id = next->id;
    TERN_TRY(scheduler_->add(std::move(next)));
    const StepPlan& plan = scheduler_->schedule(now_);
    double seconds = seconds_since(start);
    wait(id);
    fill_result(plan);
    const TimePoint resumed = std::chrono::steady_clock::now();
    const auto ended = scheduler_->commit(result_);
    seconds += seconds_since(resumed);
    return seconds;
  }

 private:
  uint64_t draw() { return random_bits(options_.seed, RngStream::kSimulation, ++num_drawn_); }

  std::unique_ptr<Sequence> make_sequence() {
    auto seq = std::make_unique<Sequence>();
    seq->id = ++last_id_;
    seq->arrival = now_;
    seq->num_prompt_tokens = options_.prompt_tokens;
    seq->token_ids.resize(options_.prompt_tokens);
    for (int32_t& token : seq->token_ids) token = static_cast<int32_t>(draw() % 30'000);
    if (draw() % 4 == 0) {
      const auto prefix = static_cast<int32_t>(draw() % 16);
      std::fill_n(seq->token_ids.begin(), options_.prompt_tokens / 2, prefix);
    }
    seq->max_tokens = most_tokens(options_);
    seq->expected_output_tokens = double(1 + draw() % kMostExpected);
    return seq;
  }

  Status add() {
    std::unique_ptr<Sequence> seq = make_sequence();
    wait(seq->id);
    return scheduler_->add(std::move(seq));
  }

  void wait(uint64_t id) {
    places_[id] = waiting_.size();
    waiting_.push_back(id);
  }

  // What the plan computes waits no longer.
  void admit(uint64_t id) {
    const auto found = places_.find(id);
    if (found == places_.end()) return;
    const size_t place = found->second;
    places_.erase(found);
    if (place + 1 != waiting_.size()) {
      waiting_[place] = waiting_.back();
      places_[waiting_[place]] = place;
    }
    waiting_.pop_back();
  }

  // The one that has run for longest ends; the others go on.
  void fill_result(const StepPlan& plan) {
    result_.sequences.resize(plan.sequences.size());
    for (size_t i = 0; i < plan.sequences.size(); ++i) {
      const ScheduledSequence& scheduled = plan.sequences[i];
      SequenceResult& own = result_.sequences[i];
      own.id = scheduled.sequence->id;
      admit(own.id);
      own.num_kept = scheduled.num_tokens;
      own.token_ids.clear();
      own.finished = false;
      if (!scheduled.produces_token()) continue;
      own.token_ids.push_back(7);
      own.finished = i == 0 && plan.sequences.size() == size_t(options_.num_running);
    }
  }

  const BenchSchedulerOptions& options_;
  const std::unique_ptr<Scheduler> scheduler_;
  StepResult result_;
  TimePoint now_;
  uint64_t last_id_ = 0, num_drawn_ = 0;
  std::vector<uint64_t> waiting_;                // ids, in no order
  std::unordered_map<uint64_t, size_t> places_;  // in waiting_
};

Result<nlohmann::json> measure(const BenchSchedulerOptions& options, const std::string& policy,
                               int32_t num_waiting) {
  SchedulerConfig config;
  config.policy.name = policy;
  config.max_num_seqs = options.num_running;
  config.max_num_batched_tokens = options.num_running + 4 * options.prompt_tokens;
  config.block_size = kBlockSize;
  config.max_model_len = options.prompt_tokens + most_tokens(options);
  config.num_blocks = (options.num_running + 16) * (config.max_model_len / kBlockSize + 1);
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, Scheduler::create(config));
  Load load(options, std::move(scheduler));
  TERN_TRY(load.fill(num_waiting));
  std::vector<double> seconds;
  for (int32_t i = 0; i < options.steps; ++i) {
    TERN_ASSIGN(const double took, load.step());
    seconds.push_back(took);
  }
  std::ranges::sort(seconds);
  return nlohmann::json{{"policy", policy},
                        {"waiting", num_waiting},
                        {"p50_us", seconds[seconds.size() / 2] * 1e6},
                        {"p99_us", seconds[seconds.size() * 99 / 100] * 1e6}};
}

}  // namespace

Result<nlohmann::json> bench_scheduler(const BenchSchedulerOptions& options,
                                       const std::function<void(double)>& progress) {
  std::vector<std::string> policies_to_run = options.policies;
  if (policies_to_run.empty())
    for (const PolicyInfo& policy : policies()) policies_to_run.emplace_back(policy.name);
  nlohmann::json rows = nlohmann::json::array();
  const auto total = double(policies_to_run.size() * options.waiting.size());
  for (const int32_t waiting : options.waiting) {
    for (const std::string& policy : policies_to_run) {
      TERN_ASSIGN(nlohmann::json row, measure(options, policy, waiting));
      rows.push_back(std::move(row));
      progress(double(rows.size()) / total);
    }
  }
  return nlohmann::json{{"rows", std::move(rows)}, {"cpu", cpu_info().model_name}};
}

}  // namespace tern
