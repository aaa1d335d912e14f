#include "bench/simulate/experiment.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "bench/simulate/peer_policies.h"

namespace tern::bench {
namespace {

// What the runs of one load and seed have in common.
struct Shared {
  std::vector<SimArrival> arrivals;
  std::span<const double> expected;
};

struct Job {
  ExperimentRow* row;
  const Shared* shared;
};

Status run_job(const Experiment& experiment, const Job& job) {
  const SimPolicy& policy = experiment.policies[job.row->policy];
  TERN_ASSIGN(std::unique_ptr<Scheduler> scheduler, make_scheduler(policy, experiment.scheduler));
  SimulationOptions options = experiment.simulation;
  options.expected = job.shared->expected;
  options.tells_lengths = policy.is_oracle();
  options.fails_all_when_kv_is_full =
      policy.peer != nullptr && policy.peer->fails_all_when_kv_is_full;
  Result<SimOutcome> outcome =
      simulate(std::move(scheduler), experiment.source, job.shared->arrivals, options);
  if (!outcome.ok()) return outcome.status().with_context("policy '" + policy.label + "'");
  job.row->figures = compute_figures(*outcome, experiment.source, experiment.figures);
  if (experiment.keeps_records && job.row->seed == experiment.seeds.front())
    job.row->records = std::move(outcome->records);
  return {};
}

// Jobs are taken in turn by all threads; each writes its own row, so their order does not matter.
class Workers {
 public:
  Workers(const Experiment& experiment, const std::vector<Job>& jobs,
          const std::function<void(double)>& progress)
      : experiment_(experiment), jobs_(jobs), progress_(progress) {}

  Status run() {
    const size_t wanted =
        std::min<size_t>(size_t(std::max(experiment_.num_threads, 1)), jobs_.size());
    std::vector<std::thread> threads;
    for (size_t i = 1; i < wanted; ++i) threads.emplace_back([this] { work(); });
    work();
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(mutex_);
    return failures_.empty() ? Status() : failures_.begin()->second;
  }

 private:
  void work() {
    for (size_t i = next_++; i < jobs_.size(); i = next_++) {
      const Status status = run_job(experiment_, jobs_[i]);
      MutexLock lock(mutex_);
      if (!status.ok()) {
        failures_.emplace(i, status);
        next_ = jobs_.size();
      }
      if (progress_) progress_(double(++num_done_) / double(jobs_.size()));
    }
  }

  const Experiment& experiment_;
  const std::vector<Job>& jobs_;
  const std::function<void(double)>& progress_;
  std::atomic<size_t> next_{0};
  Mutex mutex_;
  std::map<size_t, Status> failures_ TERN_GUARDED_BY(mutex_);  // by job: the first one counts
  size_t num_done_ TERN_GUARDED_BY(mutex_) = 0;
};

std::vector<std::optional<double>> loads_of(const Experiment& experiment) {
  if (experiment.loads.empty()) return {std::nullopt};
  return {experiment.loads.begin(), experiment.loads.end()};
}

std::vector<ExperimentMedian> medians_of(const Experiment& experiment,
                                         const std::vector<ExperimentRow>& rows) {
  std::vector<ExperimentMedian> out;
  const size_t num_seeds = experiment.seeds.size();
  for (size_t begin = 0; begin < rows.size(); begin += num_seeds) {
    std::vector<Figures> runs;
    for (size_t i = 0; i < num_seeds; ++i) runs.push_back(rows[begin + i].figures);
    out.push_back({rows[begin].policy, rows[begin].load, median_figures(runs)});
  }
  return out;
}

}  // namespace

double capacity_of(const LoadSource& source, int32_t num_slots, const SimStepCost& cost) {
  return num_slots / (source.mean_output_tokens() * cost.of(num_slots, num_slots).count());
}

Result<ExperimentResult> run_experiment(const Experiment& experiment,
                                        const std::function<void(double)>& progress) {
  const size_t num_seeds = experiment.seeds.size();
  ExperimentResult out;
  const std::vector<std::optional<double>> loads = loads_of(experiment);
  std::vector<Shared> shared;  // by load, then seed
  for (const std::optional<double>& load : loads) {
    for (size_t s = 0; s < num_seeds; ++s) {
      ArrivalPlan plan{.num_requests = experiment.num_requests,
                       .rate = experiment.rate,
                       .burstiness = experiment.burstiness,
                       .seed = experiment.seeds[s]};
      if (load) plan.rate = *load * experiment.capacity;
      shared.push_back({make_arrivals(experiment.source, plan), {}});
      if (!experiment.expected.empty()) shared.back().expected = experiment.expected[s];
    }
    for (size_t policy = 0; policy < experiment.policies.size(); ++policy)
      for (const uint64_t seed : experiment.seeds) out.rows.push_back({policy, load, seed});
  }
  std::vector<Job> jobs;
  const size_t num_rows_of_load = experiment.policies.size() * num_seeds;
  for (size_t i = 0; i < out.rows.size(); ++i)
    jobs.push_back({&out.rows[i], &shared[i / num_rows_of_load * num_seeds + i % num_seeds]});
  TERN_TRY(Workers(experiment, jobs, progress).run());
  out.medians = medians_of(experiment, out.rows);
  return out;
}

}  // namespace tern::bench
