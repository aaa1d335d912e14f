// Clients that are slow on purpose: each wait ends.
#include "server/http/listener.h"

#include <catch2/catch.hpp>

#include "tests/server/http/http_wire.h"
#include "tests/support/eventually.h"

using namespace tern;

namespace {

constexpr http::ConnectionTimeouts kShort{
    .idle = Seconds(0.2), .header = Seconds(0.2), .body = Seconds(0.2), .write = Seconds(0.2)};

struct Listening {
  explicit Listening(http::Handler handler) {
    auto started = http::Listener::start(
        {.listen = {"127.0.0.1:0"}, .num_threads = 4, .timeouts = kShort}, std::move(handler));
    TERN_CHECK(started.ok(), started.status().message());
    listener = *std::move(started);
    const std::string& address = listener->addresses().at(0);
    port = std::stoi(address.substr(address.rfind(':') + 1));
  }

  std::unique_ptr<http::Listener> listener;
  int port = 0;
};

http::Response echo(const http::Request& request) {
  return {.content_type = "text/plain", .body = request.method + " " + request.body};
}

// Sends a byte of `text` now and then until the server has closed: then what it said.
std::string drip(RawClient& client, const std::string& text) {
  std::thread sender([&] {
    for (const char byte : text) {
      client.send(std::string(1, byte));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const std::string said = client.read_until("never said");
  sender.join();
  return said;
}

}  // namespace

TEST_CASE("an idle connection is closed", "[http]") {
  Listening on(echo);
  RawClient silent(on.port);
  CHECK(silent.read_until("x").empty());
  RawClient once(on.port);
  once.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(once.read_until("never said").ends_with("\r\n\r\nGET "));
}

TEST_CASE("a header or a body that comes a byte at a time is cut off", "[http]") {
  Listening on(echo);
  const std::string many(20, 'x');
  RawClient line(on.port);
  CHECK(drip(line, "GET /" + many).substr(0, 12) == "HTTP/1.1 408");
  RawClient header(on.port);
  header.send("GET / HTTP/1.1\r\nHost: x\r\n");
  CHECK(drip(header, "X: " + many).substr(0, 12) == "HTTP/1.1 408");
  RawClient body(on.port);
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  CHECK(drip(body, many).substr(0, 12) == "HTTP/1.1 408");
}

TEST_CASE("a client that reads nothing is given up", "[http]") {
  std::atomic<bool> ended{false};
  Listening on([&](const http::Request&) {
    http::Response response;
    response.stream = [&](const http::Write& write) {
      while (write(std::string(1 << 16, 'x'))) {
      }
      ended = true;
    };
    return response;
  });
  RawClient client(on.port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(test::eventually([&] { return ended.load(); }));
}

TEST_CASE("what a handler throws is a 500, and the next request is answered", "[http]") {
  spdlog::set_level(spdlog::level::off);
  Listening on([](const http::Request& request) -> http::Response {
    if (request.path == "/throw") throw std::runtime_error("secret");
    http::Response response = echo(request);
    if (request.path == "/stream")
      response.stream = [](const http::Write& write) {
        write("begun");
        throw std::runtime_error("secret");
      };
    return response;
  });
  RawClient thrown(on.port), stream(on.port), good(on.port);
  thrown.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string said = thrown.read_until("}}");
  CHECK(said.starts_with("HTTP/1.1 500"));
  CHECK(said.find("secret") == std::string::npos);
  stream.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(stream.read_until("never said").find("5\r\nbegun\r\n") != std::string::npos);
  good.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(good.read_until("GET ").find("200 OK") != std::string::npos);
}

TEST_CASE("HTTP 1.0 gets a stream without chunks", "[http]") {
  Listening on([](const http::Request&) {
    http::Response response;
    response.stream = [](const http::Write& write) { write("one ") && write("two"); };
    return response;
  });
  RawClient client(on.port);
  client.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(client.read_until("never said").ends_with("\r\n\r\none two"));
}

TEST_CASE("shutting down waits for responses, then ends them", "[http]") {
  std::atomic<bool> go{false};
  std::atomic<int> num_asked{0};
  Listening on([&](const http::Request& request) {
    ++num_asked;
    while (!go || (request.path == "/endless" && !request.client_gone()))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return echo(request);
  });
  RawClient idle(on.port), waiting(on.port), endless(on.port);
  waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  endless.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(test::eventually([&] { return num_asked == 2; }));
  std::thread shutdown([&] { on.listener->shutdown(Seconds(1)); });
  CHECK(idle.read_until("x").empty());  // at once: what was asked is not answered yet
  go = true;
  CHECK(waiting.read_until("GET ").find("200 OK") != std::string::npos);
  CHECK(endless.read_until("x").empty());  // after the grace
  shutdown.join();
}
