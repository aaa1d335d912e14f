#include "server/http/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace tern::http {
namespace {

// A header is cut off by the parser's limits, which answer; this one only bounds what is read.
constexpr uint64_t kMaxHeaderBytes = 128 << 10;
constexpr uint64_t kChunkFraming = 4;  // bytes of framing that a byte of a body may come in
constexpr Seconds kLinger{1.0};
constexpr size_t kMaxLingerBytes = 64 << 20;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Waits for `events`; false at the deadline. A closed or broken socket counts as ready: the next
// call on it tells.
bool wait(int fd, short events, TimePoint deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
    if (left <= 0) return false;
    pollfd poller{fd, events, 0};
    const int ready = ::poll(&poller, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

void Connection::begin_header() {
  deadline_ = now() + to_duration(timeouts_.header);
  budget_ = kMaxHeaderBytes;
}

void Connection::begin_body(uint64_t max_bytes) {
  deadline_ = now() + to_duration(timeouts_.body);
  budget_ = max_bytes * kChunkFraming + kMaxHeaderBytes;
}

Connection::Client Connection::client() const {
  pollfd poller{fd_, POLLRDHUP, 0};
  if (::poll(&poller, 1, 0) <= 0) return Client::kThere;
  return poller.revents & (POLLHUP | POLLERR | POLLNVAL) ? Client::kGone : Client::kSilent;
}

void Connection::linger() {
  ::shutdown(fd_, SHUT_WR);
  deadline_ = now() + to_duration(kLinger);
  budget_ = kMaxLingerBytes;
  do take(unread().size());
  while (read() == Read::kBytes);
}

Connection::Read Connection::read() {
  if (begin_ < end_) return Read::kBytes;
  begin_ = end_ = 0;
  if (budget_ == 0) return Read::kTooMany;
  for (;;) {
    if (!wait(fd_, POLLIN, deadline_)) return Read::kTimeout;
    const ssize_t got =
        ::recv(fd_, buffer_.data(), std::min<uint64_t>(buffer_.size(), budget_), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return Read::kEnd;
    end_ = static_cast<size_t>(got);
    budget_ -= end_;
    return Read::kBytes;
  }
}

bool Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait(fd_, POLLOUT, now() + to_duration(timeouts_.write))) return false;
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace tern::http
