#include "server/http/connection_table.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace tern::http {
namespace {

// A client that has just connected gets this long to send its request, however many wait.
constexpr Seconds kReadingGrace{1.0};

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

bool ConnectionTable::add(int fd) {
  std::lock_guard lock(mutex_);
  if (closing_ || entries_.size() >= max_connections_) return false;
  entries_[fd] = {State::kQueued, now()};
  return true;
}

bool ConnectionTable::set(int fd, State state) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(fd);
  if (entry.state == State::kEvicted) return false;
  if (state == State::kIdle && num_excess() > 0) return false;
  if (state != State::kBusy && closing_) return false;
  entry = {state, now()};
  return true;
}

void ConnectionTable::remove(int fd) {
  std::lock_guard lock(mutex_);
  const auto entry = entries_.find(fd);
  if (entry->second.state == State::kEvicted) --num_evicted_;
  entries_.erase(entry);
  ::close(fd);  // under the lock: nobody evicts whoever gets the number next
  removed_.notify_all();
}

bool ConnectionTable::is_crowded() const {
  std::lock_guard lock(mutex_);
  return num_excess() > 0;
}

size_t ConnectionTable::num_excess() const {
  const size_t num = entries_.size() - num_evicted_;  // the evicted are as good as gone
  return num > num_threads_ ? num - num_threads_ : 0;
}

void ConnectionTable::make_room() {
  std::lock_guard lock(mutex_);
  const TimePoint at = now();
  for (size_t left = num_excess(); left > 0; --left) {
    const auto longest =
        std::min_element(entries_.begin(), entries_.end(), [&](const auto& a, const auto& b) {
          const bool first = is_evictable(a.second, at), second = is_evictable(b.second, at);
          return first != second ? first : a.second.since < b.second.since;
        });
    if (!is_evictable(longest->second, at)) return;
    evict(*longest);
  }
}

bool ConnectionTable::is_evictable(const Entry& entry, TimePoint at) const {
  return entry.state == State::kIdle ||
         (entry.state == State::kReading && at - entry.since > to_duration(kReadingGrace));
}

// Its thread finds the socket at its end and removes it.
void ConnectionTable::evict(Entries::value_type& entry) {
  entry.second.state = State::kEvicted;
  ++num_evicted_;
  ::shutdown(entry.first, SHUT_RDWR);
}

void ConnectionTable::close_all(Seconds grace) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  for (auto& entry : entries_)
    if (entry.second.state == State::kIdle || entry.second.state == State::kReading) evict(entry);
  const auto is_empty = [this] { return entries_.empty(); };
  if (removed_.wait_for(lock, to_duration(grace), is_empty)) return;
  for (auto& entry : entries_)
    if (entry.second.state == State::kBusy) evict(entry);
  removed_.wait(lock, is_empty);
}

}  // namespace tern::http
