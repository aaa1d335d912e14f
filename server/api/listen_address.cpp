#include "server/api/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>

namespace tern {
namespace {

constexpr std::string_view kUnix = "unix:";

bool is_unix(const std::string& address) {
  return address.starts_with(kUnix);
}

Status unavailable(const std::string& address, const std::string& why) {
  return {Code::kUnavailable, "cannot listen on " + address + ": " + why};
}

// A file descriptor that closes itself.
struct Socket {
  explicit Socket(int family) : fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd >= 0) close(fd);
  }
  Socket(const Socket&) = delete;
  const int fd;
};

Status not_an_address(const std::string& address, const std::string& why) {
  return invalid_argument("listen address '" + address + "': " + why);
}

Status check_unix(const std::string& address) {
  TERN_TRY(check_address_form(address));
  const std::string path = address.substr(kUnix.size());
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(name.sun_path, path.size());
  struct stat file {};
  if (lstat(path.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode))
    return unavailable(address, S_ISDIR(file.st_mode) ? path + " is a directory"
                                                      : path + " exists and is no socket");
  const Socket probe(AF_UNIX);
  if (connect(probe.fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0)
    return unavailable(address, "another process serves this socket");
  return {};
}

// What the system says of the folder of `path` where no socket can be made there; else nothing.
std::string why_not_folder(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  if (access(folder.c_str(), W_OK | X_OK) == 0) return "";
  return folder + ": " + std::strerror(errno);
}

// Host and port of "host:port" or "[v6]:port"; an empty port where there is none.
std::pair<std::string, std::string> split(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, ""};
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

}  // namespace

Status check_address_form(const std::string& address) {
  constexpr const char* kForm = "HOST:PORT (port 0 to 65535) or unix:PATH";
  if (is_unix(address)) {
    const size_t size = address.size() - kUnix.size(), most = sizeof sockaddr_un{}.sun_path - 1;
    if (address.starts_with(std::string(kUnix) + "~/"))
      return not_an_address(address, "the ~ of a shell is not expanded here");
    if (size >= 1 && size <= most) return {};
    return not_an_address(address, "the path must have 1 to " + std::to_string(most) + " bytes");
  }
  if (address.find("://") != std::string::npos)
    return not_an_address(address, std::string("is a URL; must be ") + kForm);
  if (address.find(',') != std::string::npos)
    return not_an_address(address, std::string("must be one address, ") + kForm +
                                       "; several are a list in the configuration: [A, B]");
  const auto [host, port] = split(address);
  int number = -1;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!host.empty() && error == std::errc() && end == port.data() + port.size() && number >= 0 &&
      number <= 65535)
    return {};
  return not_an_address(address, std::string("must be ") + kForm);
}

Status check_listen_address(const std::string& address) {
  return is_unix(address) ? check_unix(address) : check_address_form(address);
}

Status check_socket_folder(const std::string& address) {
  TERN_TRY(check_unix(address));
  const std::string why = why_not_folder(address.substr(kUnix.size()));
  return why.empty() ? Status() : unavailable(address, why);
}

Status check_named_once(const std::vector<NamedAddress>& named) {
  // What two addresses of one listener have in common.
  const auto place = [](const std::string& address) {
    if (!is_unix(address)) return address;
    std::error_code error;
    const std::string text = address.substr(kUnix.size());
    const auto absolute = std::filesystem::absolute(text, error);
    const auto whole = std::filesystem::weakly_canonical(absolute, error);
    return std::string(kUnix) + (error || whole.empty() ? text : whole.string());
  };
  if (named.empty()) return {};
  const NamedAddress& last = named.back();
  if (!is_unix(last.address) && split(last.address).second == "0") return {};
  for (size_t i = 0; i + 1 < named.size(); ++i) {
    const auto& [key, address] = named[i];
    if (place(address) != place(last.address)) continue;
    return unavailable(last.address, "it is named by " + key +
                                         (key == last.key ? " twice" : " and by " + last.key));
  }
  return {};
}

Status cannot_listen(const std::string& address) {
  std::string why;
  if (is_unix(address)) {
    why = why_not_folder(address.substr(kUnix.size()));
    if (why.empty()) why = "the path cannot be created";
  } else {
    const auto [host, port] = split(address);
    const addrinfo hints{.ai_flags = AI_PASSIVE,
                         .ai_family = AF_UNSPEC,
                         .ai_socktype = SOCK_STREAM,
                         .ai_protocol = 0,
                         .ai_addrlen = 0,
                         .ai_addr = nullptr,
                         .ai_canonname = nullptr,
                         .ai_next = nullptr};
    addrinfo* found = nullptr;
    const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    if (error != 0) {
      why = gai_strerror(error);
    } else {
      const Socket probe(found->ai_family);
      const int one = 1;
      setsockopt(probe.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      const bool bound =
          bind(probe.fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(probe.fd, 1) == 0;
      why = bound ? "another address of the list failed" : std::strerror(errno);
    }
  }
  return unavailable(address, why);
}

std::string absolute_address(const std::string& address) {
  if (!is_unix(address)) return address;
  std::error_code error;
  const auto path = std::filesystem::absolute(address.substr(kUnix.size()), error);
  return error ? address : std::string(kUnix) + path.lexically_normal().string();
}

std::string with_port(const std::string& address, int port) {
  if (is_unix(address)) return address;
  return address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

}  // namespace tern
