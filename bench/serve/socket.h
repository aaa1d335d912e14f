// Non-blocking connections to one address.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "bench/serve/http_parser.h"

namespace tern::bench {

/// A descriptor that is closed when it goes.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_;
};

/// Where a server is, resolved once.
class SocketAddress {
 public:
  /// A host's name or number ([…] where it is IPv6's). kUnavailable where the name is not known.
  static Result<SocketAddress> resolve(std::string host, const std::string& port);

  /// A Unix socket. kInvalidArgument where the path is too long for one.
  static Result<SocketAddress> unix_path(const std::string& path);

  /// A non-blocking socket whose connection is under way: writable when it is there, then
  /// connect_error() tells how it went. kResourceExhausted without descriptors, else kUnavailable.
  Result<Fd> connect() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

/// Says how connecting `fd`, which has ended, went: 0 or an errno.
int connect_error(int fd);

/// Reads as recv() does. `at` is when the kernel had the last of these bytes: how long this thread
/// took to wake up and come here is the client's time, not the server's. Where the kernel does not
/// tell (Unix sockets, and the first moments after the first connection) and where nothing was
/// read, the time now.
ssize_t receive(int fd, std::span<char> buffer, TimePoint* at);

/// "cannot reach http://HOST:PORT (`why`)"
Status unreachable(const HttpUrl& url, const std::string& why);

/// GET `path` and the answer's status and body. kUnavailable where nobody answers in time,
/// kCancelled where `stop` comes to be true.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
Result<HttpAnswer> http_get(const HttpUrl& url, const std::string& path,
                            const std::function<bool()>& stop);

}  // namespace tern::bench
