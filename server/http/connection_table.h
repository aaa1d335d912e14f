// Which connections live and what each does: who may have a thread, and who must give one back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/clock.h"

namespace tern::http {

/// A connection holds a thread from its first turn to its end. Where new ones wait for a thread,
/// those that only wait for their client have to go: the one that does so longest first. So no
/// number of idle or slow clients keeps others from being answered. Any thread.
class ConnectionTable {
 public:
  enum class State {
    kQueued,   ///< no thread yet
    kReading,  ///< waits for a request, or for the rest of one
    kIdle,     ///< waits for another request
    kBusy,     ///< is being answered
    kEvicted,  ///< its socket is shut down
  };

  ConnectionTable(size_t num_threads, size_t max_connections)
      : num_threads_(num_threads), max_connections_(max_connections) {}

  /// A new connection, kQueued. False where there are too many, or close_all() has been called.
  bool add(int fd);

  /// False where the connection has to end: it is evicted, or wants to wait for its client while
  /// the table is crowded (idle ones) or closing.
  bool set(int fd, State state);

  /// Closes the socket too.
  void remove(int fd);

  /// There are more connections than threads.
  bool is_crowded() const;

  /// Evicts as many as are too many, where they wait for their clients.
  void make_room();

  /// Refuses new ones and evicts those that wait for their client; after `grace` all of them.
  /// Returns when the table is empty.
  void close_all(Seconds grace);

 private:
  struct Entry {
    State state = State::kQueued;
    TimePoint since;  // of the state
  };
  using Entries = std::map<int, Entry>;

  bool is_evictable(const Entry& entry, TimePoint now) const;
  void evict(Entries::value_type& entry);
  size_t num_excess() const;

  const size_t num_threads_, max_connections_;
  mutable std::mutex mutex_;
  std::condition_variable removed_;
  Entries entries_;         // by file descriptor; guarded by mutex_
  size_t num_evicted_ = 0;  // of entries_; guarded by mutex_
  bool closing_ = false;    // guarded by mutex_
};

}  // namespace tern::http
