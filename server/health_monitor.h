// Health by progress: a server whose engine stands still is not healthy, one that is idle or full
// is.
#pragma once

#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
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

  /// Looks at `engine`, which must outlive this and be the state's, from here on. Once.
  void watch(const Engine& engine);

  /// Tells at once whether the server serves: its phase says so, and the engine moves. To be called
  /// when the phase has changed; the watchdog goes on in every phase. Any thread.
  void update();

  /// How long the engine may be silent now: a step that is expected to take long may take it.
  static Seconds allowed(Seconds limit, const EngineStats& stats);

 private:
  void run(const Engine& engine);
  void look(const Engine& engine) TERN_REQUIRES(mutex_);
  void update_locked() TERN_REQUIRES(mutex_);

  const HealthOptions options_;
  ServingState& state_;
  const SetServing set_serving_;
  Mutex mutex_;
  CondVar stopping_changed_;
  bool stopping_ TERN_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tern
