#include "bench/serve/socket.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tern::bench {
namespace {

constexpr Seconds kGetTimeout{10};
// Beyond it the clock has been set meanwhile.
constexpr std::chrono::seconds kLatestRead{1};
constexpr int kPollMs = 50;  // how soon an interrupt is noticed

// Waits for `events`. False: `stop` or the deadline came first.
bool wait_for(int fd, short events, TimePoint deadline, const std::function<bool()>& stop) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  while (!(stop && stop()) && std::chrono::steady_clock::now() < deadline)
    if (poll(&entry, 1, kPollMs) > 0) return true;
  return false;
}

// What a peer speaks whose first bytes are these; null where it is HTTP/1.
const char* foreign_protocol(std::string_view bytes) {
  if (bytes.starts_with(std::string_view("HTTP/").substr(0, bytes.size()))) return nullptr;
  if (bytes.size() > 3 && bytes[0] == 0 && bytes[3] == 4)  // a SETTINGS frame
    return "it speaks HTTP/2, as gRPC does: of ternd's addresses name that of http.listen "
           "(--http), "
           "not of server.listen";
  if (bytes.size() > 1 && bytes[0] == 0x15 && bytes[1] == 3) return "it speaks TLS";
  return "it does not speak HTTP";
}

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Status unreachable(const HttpUrl& url, const std::string& why) {
  return Status(Code::kUnavailable,
                "cannot reach http://" + url.authority() + url.path + " (" + why + ")");
}

Result<SocketAddress> SocketAddress::unix_path(const std::string& path) {
  SocketAddress address;
  auto& storage = reinterpret_cast<sockaddr_un&>(address.storage_);
  if (path.empty() || path.size() >= sizeof storage.sun_path)
    return invalid_argument("a socket's path has 1 to " +
                            std::to_string(sizeof storage.sun_path - 1) + " bytes, is '" + path +
                            "'");
  storage.sun_family = AF_UNIX;
  std::memcpy(storage.sun_path, path.c_str(), path.size() + 1);
  address.size_ = sizeof storage;
  return address;
}

Result<SocketAddress> SocketAddress::resolve(std::string host, const std::string& port) {
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const addrinfo hints{.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return Status(Code::kUnavailable, gai_strerror(error));
  SocketAddress address;
  // The first that accepts: "localhost" is often two addresses, of which a server has one.
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    std::memcpy(&address.storage_, at->ai_addr, at->ai_addrlen);
    address.size_ = at->ai_addrlen;
    if (at->ai_next == nullptr) break;
    const Result<Fd> fd = address.connect();
    if (fd.ok() &&
        wait_for(fd->get(), POLLOUT, std::chrono::steady_clock::now() + std::chrono::seconds(2),
                 {}) &&
        connect_error(fd->get()) == 0)
      break;
  }
  freeaddrinfo(found);
  return address;
}

Result<Fd> SocketAddress::connect() const {
  Fd fd(socket(storage_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0)
    return Status(Code::kResourceExhausted, std::string("no socket: ") + std::strerror(errno));
  const int on = 1;
  if (storage_.ss_family != AF_UNIX) {
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&storage_);
  if (::connect(fd.get(), address, size_) != 0 && errno != EINPROGRESS)
    return Status(Code::kUnavailable, std::strerror(errno));
  return fd;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

ssize_t receive(int fd, std::span<char> buffer, TimePoint* at) {
  iovec bytes{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  msghdr message{
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t size = recvmsg(fd, &message, 0);
  const auto wall_clock = std::chrono::system_clock::now().time_since_epoch();
  *at = std::chrono::steady_clock::now();
  if (size <= 0) return size;
  const cmsghdr* found = CMSG_FIRSTHDR(&message);
  if (!found || found->cmsg_level != SOL_SOCKET || found->cmsg_type != SCM_TIMESTAMPNS) return size;
  timespec arrived{};  // on the wall clock
  std::memcpy(&arrived, CMSG_DATA(found), sizeof arrived);
  const auto late =
      wall_clock - std::chrono::seconds(arrived.tv_sec) - std::chrono::nanoseconds(arrived.tv_nsec);
  if (late.count() > 0 && late < kLatestRead) *at -= late;
  return size;
}

Result<HttpAnswer> http_get(const HttpUrl& url, const std::string& path,
                            const std::function<bool()>& stop) {
  const TimePoint deadline = std::chrono::steady_clock::now() + to_duration(kGetTimeout);
  const auto gave_up = [&] {
    return stop && stop() ? Status(Code::kCancelled, "interrupted")
                          : unreachable(url, "no answer within 10 s");
  };
  const Result<SocketAddress> address = SocketAddress::resolve(url.host, url.port);
  if (!address.ok()) return unreachable(url, address.status().message());
  Result<Fd> fd = address->connect();
  if (!fd.ok()) return unreachable(url, fd.status().message());
  if (!wait_for(fd->get(), POLLOUT, deadline, stop)) return gave_up();
  if (const int error = connect_error(fd->get())) return unreachable(url, std::strerror(error));
  const std::string request = "GET " + url.path + path + " HTTP/1.1\r\nHost: " + url.authority() +
                              "\r\nConnection: close\r\n\r\n";
  // A line of text fits a fresh socket's buffer.
  if (send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) != ssize_t(request.size()))
    return unreachable(url, std::strerror(errno));
  HttpAnswer answer;
  HttpResponseParser parser;
  bool is_first = true;
  while (!parser.is_complete()) {
    if (!wait_for(fd->get(), POLLIN, deadline, stop)) return gave_up();
    char buffer[16384];
    const ssize_t size = recv(fd->get(), buffer, sizeof buffer, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size < 0) return unreachable(url, std::strerror(errno));
    if (is_first && size > 0)
      if (const char* other = foreign_protocol({buffer, size_t(size)}))
        return unreachable(url, other);
    is_first = false;
    if (size == 0 && !parser.finish()) return unreachable(url, "it hung up");
    TERN_TRY(parser.feed({buffer, size_t(size)}, [&](std::string_view piece) -> Status {
      answer.body += piece;
      if (answer.body.size() <= (16 << 20)) return {};
      return Status(Code::kOutOfRange, path + ": the answer is over 16 MiB");
    }));
  }
  answer.status = parser.status();
  return answer;
}

}  // namespace tern::bench
