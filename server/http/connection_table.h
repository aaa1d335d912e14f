// Which connections live and what each does: who may have a thread, and who must give one back.
#pragma once

#include <chrono>
#include <functional>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"

namespace tern::http {

/// A connection holds a thread from a request's first byte to the end of its response. Where
/// requests wait for a thread, connections whose requests come slowly have to go: so no number of
/// slow clients keeps others from being answered. Any thread.
class ConnectionTable {
 public:
  enum class State {
    kIdle,     ///< waits for a request; holds no thread
    kQueued,   ///< its request waits for a thread
    kReading,  ///< its request is being read
    kBusy,     ///< its request is being answered
    kEvicted,  ///< its socket is shut down
  };

  ConnectionTable(size_t num_threads, size_t max_connections)
      : num_threads_(num_threads), max_connections_(max_connections) {}

  /// A new connection, kIdle. Where there are too many, the one that is idle longest is evicted;
  /// false where there is none, or close_all() has been called.
  bool add(int fd);

  /// False where the connection has to end: it is evicted, or the table is closing and its request
  /// is not read yet.
  bool set(int fd, State state);

  /// set(kIdle), and `watch()` before anybody else hears of the connection.
  bool set_idle(int fd, const std::function<void()>& watch);

  /// Closes the socket too.
  void remove(int fd);

  /// Evicts those that are idle for longer than `max_idle`, and slow ones whose threads others
  /// wait for.
  void evict_waiting(Seconds max_idle);

  /// Requests wait for a thread.
  bool is_crowded() const;

  /// Refuses new ones and evicts those that wait for their client; after `grace` all of them.
  /// Returns when the table is empty.
  void close_all(Seconds grace);

 private:
  struct Entry {
    State state = State::kIdle;
    TimePoint since;  // of the state
  };
  using Entries = std::map<int, Entry>;

  bool set_locked(int fd, State state) TERN_REQUIRES(mutex_);
  bool evict_longest(State state, Seconds at_least) TERN_REQUIRES(mutex_);
  void evict(Entries::value_type& entry) TERN_REQUIRES(mutex_);
  size_t num_excess() const TERN_REQUIRES(mutex_);

  const size_t num_threads_, max_connections_;
  mutable Mutex mutex_;
  CondVar removed_;
  Entries entries_ TERN_GUARDED_BY(mutex_);  // by file descriptor
  bool closing_ TERN_GUARDED_BY(mutex_) = false;
};

}  // namespace tern::http
