// What all services of one server share: the model once it is there, the phase, the number of live
// calls.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "server/api/api_error.h"
#include "server/api/convert.h"
#include "server/api/refusal_log.h"
#include "server/api/request_record.h"

namespace tern {

/// Streams whose clients were slow, since start.
struct StreamCounters {
  std::atomic<uint64_t> num_coalesced{0};  ///< events that joined one not yet written
  std::atomic<uint64_t> num_pauses{0};     ///< requests that left the batch for it
};

/// Any thread. The phase goes LOADING → SERVING → DRAINING and never back. Everything that tells of
/// the server's state (health, metrics, status page, GetServerInfo) asks phase().
class ServingState {
 public:
  /// `clock` must outlive the state.
  explicit ServingState(const RequestLimits& limits, const Clock& clock = steady_clock())
      : limits(limits), clock(clock), started_(clock.now()) {}

  const RequestLimits limits;
  const Clock& clock;  ///< the engine's

  /// UNAVAILABLE while there is no model (LOADING, with the stage) or no new request is taken any
  /// more (DRAINING, since start_draining()).
  std::optional<ApiError> check_serving() const;

  /// Tells whether routers should send requests here: what check_serving() tells, but DRAINING
  /// since announce_draining().
  std::optional<ApiError> check_ready() const;

  /// Tells what check_serving() tells, but draining servers still answer.
  std::optional<ApiError> check_loaded() const;

  /// Null while loading.
  Engine* engine() const { return engine_.load(); }
  v1::ServerState phase() const;

  void set_load_progress(const std::string& stage, double fraction);
  void set_engine(Engine& engine) { engine_ = &engine; }

  /// DRAINING from here on, so that routers turn away; requests are still taken.
  void announce_draining() { announced_ = true; }

  /// The same, and requests are refused.
  void start_draining() {
    announce_draining();
    draining_ = true;
  }
  bool refuses_requests() const { return draining_; }

  /// The listeners are about to close: calls without an end of their own must end.
  bool closing() const { return closing_; }
  void close() { closing_ = true; }

  /// The engine has not moved though it had work, see HealthMonitor.
  bool stuck() const { return stuck_; }
  void set_stuck(bool stuck) { stuck_ = stuck; }

  /// `observer` hears of every request's end from here on; it must outlive the calls. Before the
  /// first call.
  void set_observer(RequestObserver* observer) { observer_ = observer; }
  void report(const RequestRecord& record) const {
    if (observer_) observer_->on_request_end(record);
  }

  /// The line a finished request leaves in the log shows the beginning of its prompt.
  std::atomic<bool> log_prompts{false};

  StreamCounters streams;
  RefusalLog refusals;

  /// Generation calls since start, and those of them that no transport and no engine holds any
  /// more. Whoever counts a call as live reads the second first.
  std::atomic<uint64_t> num_calls_created{0}, num_calls_released{0};
  int num_live_calls() const {
    const uint64_t released = num_calls_released;
    return static_cast<int>(num_calls_created - released);
  }

  /// The addresses as bound, for describe().
  void set_listen(std::vector<std::string> listen, std::vector<std::string> admin_listen);

  /// Everything but the configuration.
  void describe(v1::ServerInfo* info) const;

 private:
  const TimePoint started_;
  std::atomic<Engine*> engine_{nullptr};
  std::atomic<bool> announced_{false}, draining_{false};
  std::atomic<bool> closing_{false};
  std::atomic<bool> stuck_{false};
  RequestObserver* observer_ = nullptr;
  mutable Mutex mutex_;
  std::string stage_ TERN_GUARDED_BY(mutex_) = "starting";
  double fraction_ TERN_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> listen_ TERN_GUARDED_BY(mutex_);
  std::vector<std::string> admin_listen_ TERN_GUARDED_BY(mutex_);
};

}  // namespace tern
