// Health by progress: a server whose engine stands still is not healthy, one that is idle or full
// is.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "server/api/serving_state.h"

namespace tern {

struct HealthOptions {
  /// Silence of an engine with work after which the server is not healthy. Where the step in
  /// progress is expected to take long (a large prefill), three times that is allowed.
  Seconds max_silence{30};
  /// Silence after which the process writes the engine's state to the log and aborts, so that it is
  /// started anew; 0 = never.
  Seconds watchdog_timeout{300};
};

/// Looks at the engine a few times a second, from a thread of its own.
class HealthMonitor {
 public:
  using SetServing = std::function<void(bool serving)>;  ///< never two at a time

  HealthMonitor(const HealthOptions& options, ServingState& state, SetServing set_serving);
  ~HealthMonitor();

  /// Serving from here on, as long as `engine`, which must outlive this, moves. Once.
  void watch(const Engine& engine);

  /// Not serving from here on, whatever the engine does; the watchdog goes on. Idempotent; any
  /// thread.
  void stop_serving();

  /// How long the engine may be silent now: a step that is expected to take long may take it.
  static Seconds allowed(Seconds limit, const EngineStats& stats);

 private:
  void run(const Engine& engine);
  void look(const Engine& engine);

  const HealthOptions options_;
  ServingState& state_;
  const SetServing set_serving_;
  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  // Guarded by mutex_.
  bool may_serve_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tern
