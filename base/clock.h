// Time comes in as an argument: code that schedules asks a Clock, tests and simulation own one.
#pragma once

#include <atomic>
#include <chrono>

namespace tern {

using TimePoint = std::chrono::steady_clock::time_point;  ///< monotonic
using Duration = std::chrono::steady_clock::duration;
using Seconds = std::chrono::duration<double>;

constexpr Duration to_duration(Seconds s) {
  return std::chrono::duration_cast<Duration>(s);
}
constexpr double to_seconds(Duration d) {
  return std::chrono::duration_cast<Seconds>(d).count();
}

/// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

/// The machine's monotonic clock.
class SteadyClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

inline const Clock& steady_clock() {
  static const SteadyClock clock;
  return clock;
}

/// A clock that stands still until it is advanced.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Duration(ticks_.load())); }
  void advance(Seconds s) { ticks_ += to_duration(s).count(); }

 private:
  std::atomic<Duration::rep> ticks_{0};
};

}  // namespace tern
