// The last minutes in samples of one second, for the lines of the status page.
#pragma once

#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/last_n.h"
#include "base/mutex.h"
#include "server/api/serving_state.h"
#include "server/metrics/request_metrics.h"

namespace tern::metrics {

/// Looks once a second, from a thread of its own. Any thread.
class StatusHistory {
 public:
  static constexpr size_t kMostSamples = 300;
  static constexpr Seconds kInterval{1.0};

  struct Sample {
    int32_t queued = 0;            ///< requests
    int32_t running = 0;           ///< sequences
    double kv_usage = 0;           ///< 0 to 1
    double tokens_per_second = 0;  ///< generated since the sample before
    double ends_per_second = 0;    ///< requests, since the sample before
    double failed_per_second = 0;  ///< of these, as Outcome has it
    double cpus = 0;               ///< CPUs' worth of time that the process took
  };

  /// Both must outlive this.
  StatusHistory(const RequestMetrics& requests, const ServingState& state);
  ~StatusHistory();

  /// Oldest first.
  std::vector<Sample> samples() const;

 private:
  void run();
  void look();

  const RequestMetrics& requests_;
  const ServingState& state_;
  mutable Mutex mutex_;
  CondVar stopping_changed_;
  bool stopping_ TERN_GUARDED_BY(mutex_) = false;
  LastN<Sample> samples_ TERN_GUARDED_BY(mutex_){kMostSamples};
  // These belong to its thread.
  TimePoint last_look_;
  uint64_t last_tokens_ = 0, last_ends_ = 0, last_failed_ = 0;
  double last_cpu_seconds_ = 0;
  std::thread thread_;
};

}  // namespace tern::metrics
