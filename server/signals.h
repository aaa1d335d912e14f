// What ends or changes the daemon: signals and admin calls, in one place.
#pragma once

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace tern {

/// SIGTERM, SIGINT and SIGHUP are received by a thread of its own. Make it before any other thread.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;

  /// What has happened so far.
  struct Seen {
    int stops = 0;                         ///< SIGTERM, SIGINT, and the first request_drain()
    int reloads = 0;                       ///< SIGHUP
    std::optional<Seconds> drain_timeout;  ///< of the request_drain() that began it all
    /// The earliest end that one of the later ones wants.
    std::optional<std::chrono::steady_clock::time_point> drain_by;

    bool must_end_drain() const {
      return stops >= 2 || (drain_by && std::chrono::steady_clock::now() >= *drain_by);
    }
  };

  /// As the first stop signal. Where one has come, a timeout counts from now on, if it ends earlier
  /// than what counted before. True where this is the first stop. Any thread.
  bool request_drain(std::optional<Seconds> timeout);

  /// Waits until `enough(seen)`, at most `timeout`; looks again a few times a second, so that other
  /// things than signals may count. Returns what has been seen.
  template <class Enough>
  Seen wait(Seconds timeout, Enough&& enough) {
    const auto deadline = std::chrono::steady_clock::now() + to_duration(timeout);
    MutexLock lock(mutex_);
    while (!enough(seen_) && std::chrono::steady_clock::now() < deadline)
      changed_.wait_until(lock, std::chrono::steady_clock::now() + kTick);
    return seen_;
  }

 private:
  static constexpr std::chrono::milliseconds kTick{20};

  void receive();

  Mutex mutex_;
  CondVar changed_;
  Seen seen_ TERN_GUARDED_BY(mutex_);
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace tern
