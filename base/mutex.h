// A mutex that clang can reason about: what is guarded by which, and who must hold it, are checked
// when clang compiles (-Wthread-safety). Under other compilers the annotations are nothing.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

#if defined(__clang__)
#define TERN_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define TERN_THREAD_ATTRIBUTE(x)
#endif

/// A field that may be touched only while `mutex` is held.
#define TERN_GUARDED_BY(mutex) TERN_THREAD_ATTRIBUTE(guarded_by(mutex))
/// A function that is called with these mutexes held.
#define TERN_REQUIRES(...) TERN_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
/// A function whose body is not checked, for a reason that stands beside it; its callers are.
#define TERN_UNCHECKED TERN_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace tern {

/// std::mutex, as a capability.
class TERN_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a mutex until its scope ends, or until unlock().
class TERN_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TERN_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~MutexLock() TERN_THREAD_ATTRIBUTE(release_capability()) {}
  MutexLock(const MutexLock&) = delete;

  void unlock() TERN_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }
  void lock() TERN_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }

 private:
  friend class CondVar;
  std::unique_lock<std::mutex> lock_;
};

/// std::condition_variable. There are no predicates, as a lambda would be checked as if nobody held
/// the mutex: the caller asks in a loop for what it waits for.
class CondVar {
 public:
  void wait(MutexLock& lock) { condition_.wait(lock.lock_); }

  /// False where `until` has come first.
  bool wait_until(MutexLock& lock, TimePoint until) {
    return condition_.wait_until(lock.lock_, until) == std::cv_status::no_timeout;
  }

  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace tern
