#include "server/health_monitor.h"

#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "server/api/admin.h"

namespace tern {
namespace {

constexpr Seconds kInterval{0.1};
constexpr double kPatience = 3;  // times the expected step

}  // namespace

HealthMonitor::HealthMonitor(const HealthOptions& options, ServingState& state,
                             SetServing set_serving)
    : options_(options), state_(state), set_serving_(std::move(set_serving)) {}

Seconds HealthMonitor::allowed(Seconds limit, const EngineStats& stats) {
  return std::max(limit, kPatience * stats.expected_step);
}

HealthMonitor::~HealthMonitor() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    stopping_changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void HealthMonitor::watch(const Engine& engine) {
  const MutexLock lock(mutex_);
  update_locked();
  thread_ = std::thread([this, &engine] { run(engine); });
}

void HealthMonitor::update() {
  const MutexLock lock(mutex_);
  update_locked();
}

void HealthMonitor::update_locked() {
  set_serving_(!state_.check_ready() && !state_.stuck());
}

void HealthMonitor::run(const Engine& engine) {
  MutexLock lock(mutex_);
  while (true) {
    const TimePoint next = std::chrono::steady_clock::now() + to_duration(kInterval);
    while (!stopping_ && stopping_changed_.wait_until(lock, next)) {
    }
    if (stopping_) return;
    look(engine);
  }
}

void HealthMonitor::look(const Engine& engine) {
  const EngineStats stats = engine.stats();
  const bool stuck = stats.silent > allowed(options_.max_silence, stats);
  if (stuck != state_.stuck()) {
    state_.set_stuck(stuck);
    update_locked();
    if (stuck)
      spdlog::error("not healthy: the engine has been silent for {:.1f} s with {} live requests",
                    stats.silent.count(), stats.num_live_requests);
    else
      spdlog::warn("healthy again: the engine moves");
  }
  if (options_.watchdog_timeout.count() <= 0 ||
      stats.silent <= allowed(options_.watchdog_timeout, stats))
    return;
  spdlog::critical("watchdog: the engine stands still, this process ends\n{}",
                   describe_engine(engine));
  close_logging();
  std::abort();
}

}  // namespace tern
