#include "server/metrics/status_history.h"

#include "base/process_info.h"
#include "server/metrics/snapshot.h"

namespace tern::metrics {

StatusHistory::StatusHistory(const RequestMetrics& requests, const ServingState& state)
    : requests_(requests),
      state_(state),
      last_look_(std::chrono::steady_clock::now()),
      last_cpu_seconds_(read_process_info().cpu_seconds),
      thread_([this] { run(); }) {}

StatusHistory::~StatusHistory() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    stopping_changed_.notify_all();
  }
  thread_.join();
}

std::vector<StatusHistory::Sample> StatusHistory::samples() const {
  const MutexLock lock(mutex_);
  std::vector<Sample> samples;
  for (size_t i = samples_.size(); i > 0; --i) samples.push_back(samples_.newest(i - 1));
  return samples;
}

void StatusHistory::run() {
  MutexLock lock(mutex_);
  while (true) {
    const TimePoint next = std::chrono::steady_clock::now() + to_duration(kInterval);
    while (!stopping_ && stopping_changed_.wait_until(lock, next)) {
    }
    if (stopping_) return;
    lock.unlock();
    look();
    lock.lock();
  }
}

void StatusHistory::look() {
  const Engine* engine = state_.engine();
  if (!engine) return;
  const EngineStats stats = engine->stats();
  const RequestTotals totals = requests_.totals();
  const TimePoint now = std::chrono::steady_clock::now();
  const double seconds = to_seconds(now - std::exchange(last_look_, now));
  const auto per_second = [seconds](auto value, auto& last) {
    return double(value - std::exchange(last, value)) / seconds;
  };
  const Sample sample{.queued = stats.num_queued_requests,
                      .running = stats.scheduler.num_running,
                      .kv_usage = kv_usage(stats.scheduler),
                      .tokens_per_second = per_second(stats.num_generated_tokens, last_tokens_),
                      .ends_per_second = per_second(totals.num_ended(), last_ends_),
                      .failed_per_second = per_second(totals.num(Outcome::kFailed), last_failed_),
                      .cpus = per_second(read_process_info().cpu_seconds, last_cpu_seconds_)};
  const MutexLock lock(mutex_);
  samples_.push(sample);
}

}  // namespace tern::metrics
