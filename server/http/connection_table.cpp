#include "server/http/connection_table.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace tern::http {
namespace {

// A request gets this long to come whole, however many wait.
constexpr Seconds kReadingGrace{0.5};

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

bool ConnectionTable::add(int fd) {
  const MutexLock lock(mutex_);
  if (closing_) return false;
  if (entries_.size() >= max_connections_ && !evict_longest(State::kIdle, Seconds(0))) return false;
  entries_[fd] = {State::kIdle, now()};
  return true;
}

bool ConnectionTable::set(int fd, State state) {
  const MutexLock lock(mutex_);
  return set_locked(fd, state);
}

bool ConnectionTable::set_idle(int fd, const std::function<void()>& watch) {
  const MutexLock lock(mutex_);
  if (!set_locked(fd, State::kIdle)) return false;
  watch();
  return true;
}

bool ConnectionTable::set_locked(int fd, State state) {
  Entry& entry = entries_.at(fd);
  if (entry.state == State::kEvicted) return false;
  if (closing_ && state != State::kBusy) return false;
  entry = {state, now()};
  return true;
}

void ConnectionTable::remove(int fd) {
  MutexLock lock(mutex_);
  entries_.erase(fd);
  ::close(fd);  // under the lock: nobody evicts whoever gets the number next
  removed_.notify_all();
}

bool ConnectionTable::is_crowded() const {
  const MutexLock lock(mutex_);
  return num_excess() > 0;
}

// The evicted are as good as gone.
size_t ConnectionTable::num_excess() const {
  const size_t num = std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.state != State::kIdle && entry.second.state != State::kEvicted;
  });
  return num > num_threads_ ? num - num_threads_ : 0;
}

void ConnectionTable::evict_waiting(Seconds max_idle) {
  const MutexLock lock(mutex_);
  while (evict_longest(State::kIdle, max_idle)) {
  }
  for (size_t left = num_excess(); left > 0; --left)
    if (!evict_longest(State::kReading, kReadingGrace)) return;
}

// Evicts the one that is in `state` longest, if for `at_least` so long. False where there is none.
bool ConnectionTable::evict_longest(State state, Seconds at_least) {
  Entries::value_type* longest = nullptr;
  for (auto& entry : entries_)
    if (entry.second.state == state && (!longest || entry.second.since < longest->second.since))
      longest = &entry;
  if (!longest || now() - longest->second.since < to_duration(at_least)) return false;
  evict(*longest);
  return true;
}

// Who waits at its socket finds the end there, and removes it.
void ConnectionTable::evict(Entries::value_type& entry) {
  entry.second.state = State::kEvicted;
  ::shutdown(entry.first, SHUT_RDWR);
}

void ConnectionTable::close_all(Seconds grace) {
  MutexLock lock(mutex_);
  closing_ = true;
  for (auto& entry : entries_)
    if (entry.second.state != State::kBusy) evict(entry);
  const TimePoint until = now() + to_duration(grace);
  while (!entries_.empty() && removed_.wait_until(lock, until)) {
  }
  for (auto& entry : entries_) evict(entry);
  while (!entries_.empty()) removed_.wait(lock);
}

}  // namespace tern::http
