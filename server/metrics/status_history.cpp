#include "server/metrics/status_history.h"

#include "server/metrics/snapshot.h"

namespace tern::metrics {

StatusHistory::StatusHistory(const RequestMetrics& requests, const ServingState& state)
    : requests_(requests),
      state_(state),
      last_look_(std::chrono::steady_clock::now()),
      thread_([this] { run(); }) {}

StatusHistory::~StatusHistory() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stopping_changed_.notify_all();
  }
  thread_.join();
}

std::vector<StatusHistory::Sample> StatusHistory::samples() const {
  const std::lock_guard lock(mutex_);
  std::vector<Sample> samples;
  for (size_t i = samples_.size(); i > 0; --i) samples.push_back(samples_.newest(i - 1));
  return samples;
}

void StatusHistory::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_changed_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void StatusHistory::look() {
  const Engine* engine = state_.engine();
  if (!engine) return;
  const EngineStats stats = engine->stats();
  const TimePoint now = std::chrono::steady_clock::now();
  const uint64_t ends = requests_.totals().num_ended();
  const double seconds = to_seconds(now - std::exchange(last_look_, now));
  const Sample sample{
      .queued = stats.num_queued_requests,
      .running = stats.scheduler.num_running,
      .kv_usage = kv_usage(stats.scheduler),
      .tokens_per_second = double(stats.num_generated_tokens -
                                  std::exchange(last_tokens_, stats.num_generated_tokens)) /
                           seconds,
      .ends_per_second = double(ends - std::exchange(last_ends_, ends)) / seconds};
  const std::lock_guard lock(mutex_);
  samples_.push(sample);
}

}  // namespace tern::metrics
