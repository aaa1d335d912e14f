// A gateway on a free port with a fake engine behind it, and clients of it.
#pragma once

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "server/api/serving_state.h"
#include "server/http/gateway.h"
#include "tests/support/fake_engine.h"

namespace tern {

using Json = nlohmann::ordered_json;

inline http::GatewayOptions any_http_port(int32_t max_streams = 64) {
  return {.listen = {"127.0.0.1:0"}, .max_body_bytes = 1 << 20, .max_streams = max_streams};
}

struct HttpWire {
  explicit HttpWire(const http::GatewayOptions& options = any_http_port(), bool serving = true) {
    spdlog::set_level(spdlog::level::off);  // a line a request
    auto started = http::Gateway::start(options, state);
    TERN_CHECK(started.ok(), started.status().message());
    gateway = *std::move(started);
    if (serving) state.set_engine(engine);
    const std::string& address = gateway->addresses().at(0);
    port = std::stoi(address.substr(address.rfind(':') + 1));
  }
  ~HttpWire() {
    engine.shutdown();
    gateway->shutdown(Seconds(5));
  }

  httplib::Client client() const {
    httplib::Client out("127.0.0.1", port);
    out.set_read_timeout(20);
    return out;
  }

  httplib::Response get(const std::string& path) const { return take(client().Get(path)); }

  httplib::Response post(const std::string& path, const std::string& body,
                         const httplib::Headers& headers = {}) const {
    return take(client().Post(path, headers, body, "application/json"));
  }

  /// The data of all server-sent events of a response.
  std::vector<std::string> stream(const std::string& path, const std::string& body) const {
    return events(post(path, body).body);
  }

  static std::vector<std::string> events(const std::string& body) {
    std::vector<std::string> out;
    for (size_t at = 0; at < body.size();) {
      const size_t end = body.find("\n\n", at);
      TERN_CHECK(end != std::string::npos, "an event without an end");
      if (body.compare(at, 6, "data: ") == 0) out.push_back(body.substr(at + 6, end - at - 6));
      at = end + 2;
    }
    return out;
  }

  static httplib::Response take(const httplib::Result& result) {
    if (!result) return {};  // status -1
    return *result;
  }

  FakeEngine engine;
  ServingState state{RequestLimits{}};
  std::unique_ptr<http::Gateway> gateway;
  int port = 0;
};

/// A connection that says what it is told to.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<uint16_t>(port));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    TERN_CHECK(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0, "connect");
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  void send(const std::string& bytes) const {
    ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  /// Reads until `text` has come, or the end. All that came.
  std::string read_until(const std::string& text) {
    char buffer[4096];
    while (received_.find(text) == std::string::npos) {
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      received_.append(buffer, size_t(got));
    }
    return received_;
  }

  /// Sends nothing more, and still reads.
  void end_sending() const { ::shutdown(fd_, SHUT_WR); }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  std::string received_;
};

inline std::string raw_post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace tern
