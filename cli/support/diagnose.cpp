#include "cli/support/diagnose.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace tern {
namespace {

using namespace std::string_view_literals;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;

  int fd() const { return fd_; }

  /// True once there is something to read (or to write), or the peer is gone.
  bool wait_for(short events, Seconds patience) const {
    pollfd ready{.fd = fd_, .events = events, .revents = 0};
    return poll(&ready, 1, static_cast<int>(patience.count() * 1000)) > 0;
  }

 private:
  const int fd_;
};

// errno of the connection's end; 0 where it stands.
int connect_within(const Socket& socket, const sockaddr* address, socklen_t size,
                   Seconds patience) {
  if (socket.fd() < 0) return errno;
  if (connect(socket.fd(), address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!socket.wait_for(POLLOUT, patience)) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

// The first bytes that the peer sends after `greeting`; empty where it hangs up, nothing where it
// stays silent.
std::optional<std::string> reply_to(const Socket& socket, std::string_view greeting,
                                    Seconds patience) {
  if (send(socket.fd(), greeting.data(), greeting.size(), MSG_NOSIGNAL) < 0) return "";
  if (!socket.wait_for(POLLIN, patience)) return {};
  char bytes[512];
  const ssize_t size = recv(socket.fd(), bytes, sizeof bytes, 0);
  return std::string(bytes, size > 0 ? static_cast<size_t>(size) : 0);
}

// RFC 9113 §3.4, with empty SETTINGS.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"sv;

// The smallest ClientHello that TLS servers answer, be it with an alert (RFC 5246 §7.4.1.2).
constexpr std::string_view kClientHello =
    "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
    "tern asks whether TLS is here..."
    "\x00\x00\x04\xc0\x2f\x00\x2f\x01\x00"sv;

bool is_tls(std::string_view reply) {
  return reply.size() >= 2 && (reply[0] == '\x15' || reply[0] == '\x16') && reply[1] == '\x03';
}

std::string first_line(const std::string& reply) {
  std::string line;
  for (const char c : reply.substr(0, reply.find_first_of("\r\n")).substr(0, 60))
    line += c >= ' ' && c <= '~' ? c : '.';
  return line;
}

// What a peer speaks, by its answer to HTTP/2's greeting. Empty: HTTP/2.
std::string describe_reply(const std::optional<std::string>& reply) {
  constexpr const char* kTls = "it speaks TLS, and tern does not: name the port without TLS";
  if (!reply) return "it takes connections, but does not answer HTTP/2";
  if (is_tls(*reply)) return kTls;
  if (reply->starts_with("HTTP/1.")) {
    if (reply->find("HTTPS") != std::string::npos) return kTls;
    return "it speaks HTTP/1.1, not gRPC: of ternd's addresses name that of server.listen "
           "(--listen), not of http.listen (--http)";
  }
  if (reply->size() >= 9 && (*reply)[3] == 4) return "";  // a SETTINGS frame
  return "it does not speak HTTP/2, but answers '" + first_line(*reply) + "'";
}

// `open` gives another connection.
template <class Open>
std::string ask_peer(Open&& open, Seconds patience) {
  const auto socket = open();
  if (!socket) return "the connection failed";
  const std::optional<std::string> reply = reply_to(*socket, kHttp2Preface, patience);
  if (reply && !reply->empty()) return describe_reply(reply);
  // Silent, or gone: some TLS servers are when they are greeted otherwise.
  if (const auto second = open())
    if (const auto hello = reply_to(*second, kClientHello, patience); hello && is_tls(*hello))
      return describe_reply(hello);
  return reply ? "it hangs up when it is greeted in HTTP/2" : describe_reply(reply);
}

std::string why_not_unix(const std::string& path, Seconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return "the socket's path is longer than the " + std::to_string(sizeof address.sun_path - 1) +
           " bytes that the system takes";
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return "there is no socket " + path;
    return "the socket " + path + " cannot be seen: " + std::strerror(errno);
  }
  if (!S_ISSOCK(info.st_mode)) return path + " is no socket";
  int error = 0;
  const auto open = [&]() -> std::unique_ptr<Socket> {
    auto socket = std::make_unique<Socket>(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    error = connect_within(*socket, reinterpret_cast<const sockaddr*>(&address), sizeof address,
                           patience);
    return error == 0 ? std::move(socket) : nullptr;
  };
  if (!open()) {
    if (error == EACCES) return "permission denied: this user may not open the socket " + path;
    if (error == ECONNREFUSED)
      return "nobody listens on the socket " + path + ", which an earlier server has left";
    return std::strerror(error);
  }
  return ask_peer(open, patience);
}

struct HostPort {
  std::string host, port;
};

// "host:port" and "[v6]:port"; without a port it stays empty.
HostPort split(std::string_view address) {
  const size_t bracket = address.find(']');
  const size_t colon = address.rfind(':');
  HostPort out;
  if (address.starts_with('[') && bracket != std::string_view::npos) {
    out.host = address.substr(1, bracket - 1);
    if (bracket + 1 < address.size() && address[bracket + 1] == ':')
      out.port = address.substr(bracket + 2);
  } else if (colon == std::string_view::npos || address.find(':') != colon) {
    out.host = address;  // no port, or an IPv6 address without one
  } else {
    out.host = address.substr(0, colon);
    out.port = address.substr(colon + 1);
  }
  return out;
}

std::string why_not_tcp(const HostPort& where, Seconds patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(where.host.c_str(), where.port.c_str(), &hints, &list))
    return "the name '" + where.host + "' cannot be resolved: " + gai_strerror(error);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(list, freeaddrinfo);
  int error = 0;
  const auto open = [&]() -> std::unique_ptr<Socket> {
    for (const addrinfo* at = addresses.get(); at; at = at->ai_next) {
      auto socket =
          std::make_unique<Socket>(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0));
      error = connect_within(*socket, at->ai_addr, at->ai_addrlen, patience);
      if (error == 0) return socket;
    }
    return nullptr;
  };
  if (open()) return ask_peer(open, patience);
  if (error == ECONNREFUSED)
    return "connection refused: nothing listens on port " + where.port + " there";
  if (error == ETIMEDOUT) return "no answer: a wrong address, or a firewall between";
  return std::strerror(error);
}

std::optional<std::string> unix_path(const std::string& address) {
  if (!address.starts_with("unix:")) return {};
  std::string path = address.substr(5);
  if (path.starts_with("//")) path.erase(0, 2);
  return path;
}

// Returns the address without gRPC's "dns:" and its slashes.
std::string without_scheme(std::string address) {
  for (const std::string_view scheme : {"dns:", "ipv4:", "ipv6:"})
    if (address.starts_with(scheme)) {
      address.erase(0, scheme.size());
      break;
    }
  if (address.starts_with("///")) address.erase(0, 3);
  return address;
}

}  // namespace

std::string find_address_mistake(const std::string& address) {
  constexpr const char* kForm = "an address is HOST:PORT or unix:PATH";
  if (const auto path = unix_path(address))
    return path->empty() ? std::string("there is no path; ") + kForm : "";
  if (address.starts_with("unix-abstract:")) return "";
  if (address.find("://") != std::string::npos) {
    if (address.starts_with("dns://")) return "";
    return std::string("it is an URL; ") + kForm;
  }
  if (address.find('/') != std::string::npos) return std::string("it is a path; ") + kForm;
  const HostPort where = split(without_scheme(address));
  if (where.host.empty()) return std::string("there is no host; ") + kForm;
  if (where.port.empty()) return std::string("there is no port; ") + kForm;
  if (where.port.find_first_not_of("0123456789") != std::string::npos || where.port.size() > 5 ||
      std::stoi(where.port) > 65535 || std::stoi(where.port) == 0)
    return "'" + where.port + "' is no port: a number from 1 to 65535";
  return "";
}

std::string why_unreachable(const std::string& address, Seconds patience) {
  if (std::string mistake = find_address_mistake(address); !mistake.empty()) return mistake;
  if (const auto path = unix_path(address)) return why_not_unix(*path, patience);
  if (address.starts_with("unix-abstract:") || address.starts_with("dns://")) return "";
  return why_not_tcp(split(without_scheme(address)), patience);
}

Status unreachable_server(const std::string& address, const std::string& why,
                          const std::string& what_says_where) {
  return Status(Code::kUnavailable, "cannot reach a tern server at " + address + ": " + why + " (" +
                                        what_says_where + " says where)");
}

}  // namespace tern
