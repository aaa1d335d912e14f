#include "server/http/bound_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "server/api/listen_address.h"

namespace tern::http {
namespace {

constexpr int kBacklog = 1024;
constexpr std::string_view kUnix = "unix:";

int new_socket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// -1 where it fails.
int listen_at(int fd, const sockaddr* name, socklen_t size) {
  if (fd < 0) return -1;
  if (::bind(fd, name, size) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  ::close(fd);
  return -1;
}

int bind_unix(const std::string& path) {
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  struct stat file {};
  if (::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode))
    ::unlink(path.c_str());  // of a dead process: check_listen_address() has asked
  return listen_at(new_socket(AF_UNIX), reinterpret_cast<const sockaddr*>(&name), sizeof name);
}

int bind_tcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) return -1;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  for (const addrinfo* one = found; one; one = one->ai_next) {
    const int fd = new_socket(one->ai_family);
    const int yes = 1;
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listen_at(fd, one->ai_addr, one->ai_addrlen) >= 0) return fd;
  }
  return -1;
}

int port_of(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                          : reinterpret_cast<sockaddr_in&>(name).sin_port);
}

}  // namespace

Result<BoundSocket> BoundSocket::bind(const std::string& address) {
  TERN_TRY(check_listen_address(address));
  const bool is_unix = address.starts_with(kUnix);
  const int fd = is_unix ? bind_unix(address.substr(kUnix.size())) : bind_tcp(address);
  if (fd < 0) return cannot_listen(address);
  return BoundSocket(fd, is_unix ? address : with_port(address, port_of(fd)));
}

BoundSocket::BoundSocket(BoundSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)) {}

BoundSocket::~BoundSocket() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (address_.starts_with(kUnix)) ::unlink(address_.c_str() + kUnix.size());
}

}  // namespace tern::http
