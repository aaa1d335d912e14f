#include "server/http/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace tern::http {
namespace {

constexpr uint64_t kMaxHeaderBytes = 64 << 10;  // request line and all headers
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

bool Connection::peer_gone() const {
  pollfd poller{fd_, POLLRDHUP, 0};
  return ::poll(&poller, 1, 0) > 0;
}

void Connection::linger() {
  ::shutdown(fd_, SHUT_WR);
  deadline_ = now() + to_duration(kLinger);
  budget_ = kMaxLingerBytes;
  while (fill()) {
  }
}

// Reads once into the empty buffer.
bool Connection::fill() {
  begin_ = end_ = 0;
  if (budget_ == 0 || !wait(fd_, POLLIN, deadline_)) return false;
  const ssize_t got = ::recv(fd_, buffer_.data(), std::min<uint64_t>(buffer_.size(), budget_), 0);
  if (got <= 0) return false;
  end_ = static_cast<size_t>(got);
  budget_ -= end_;
  return true;
}

bool Connection::is_readable() const {
  return begin_ < end_ || wait(fd_, POLLIN, deadline_);
}

ssize_t Connection::read(char* out, size_t size) {
  if (begin_ == end_ && !fill()) {
    set_unusable();
    return -1;
  }
  size = std::min(size, end_ - begin_);
  std::memcpy(out, buffer_.data() + begin_, size);
  begin_ += size;
  return static_cast<ssize_t>(size);
}

ssize_t Connection::write(const char* data, size_t size) {
  if (!wait(fd_, POLLOUT, now() + to_duration(timeouts_.write))) return -1;
  const ssize_t sent = ::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return 0;  // the library tries again
  return sent;
}

// Nothing here asks who a client is.
void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}
void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace tern::http
