#include "bench/serve/socket.h"

#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>

namespace tern::bench {
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Both ends of a connection over the loopback.
struct Pair {
  Fd client, server;

  Pair() {
    const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(listener.get(), any, size) == 0);
    REQUIRE(listen(listener.get(), 1) == 0);
    REQUIRE(getsockname(listener.get(), any, &size) == 0);
    Result<SocketAddress> found =
        SocketAddress::resolve("127.0.0.1", std::to_string(ntohs(address.sin_port)));
    REQUIRE(found.ok());
    client = std::move(*found->connect());
    server.reset(accept(listener.get(), nullptr, nullptr));
    REQUIRE(server.get() >= 0);
  }

  bool is_readable(int timeout_ms) const {
    pollfd entry{.fd = client.get(), .events = POLLIN, .revents = 0};
    return poll(&entry, 1, timeout_ms) == 1;
  }
};

TEST_CASE("what is read late has the time at which it came", "[bench][socket]") {
  const Pair pair;
  char buffer[100];
  TimePoint at;
  CHECK(receive(pair.client.get(), buffer, &at) == -1);  // nothing has come
  const auto slack = std::chrono::milliseconds(20);      // between the readings of two clocks
  // The kernel begins to note times a little after the first socket has asked for them.
  int num_in_time = 0;
  for (int tries = 0; tries < 50 && num_in_time < 3; ++tries) {
    const TimePoint sending = now();
    REQUIRE(write(pair.server.get(), "tokens", 6) == 6);
    REQUIRE(pair.is_readable(10'000));
    const TimePoint readable = now();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    REQUIRE(receive(pair.client.get(), buffer, &at) == 6);
    CHECK(at >= sending - slack);
    if (num_in_time > 0) CHECK(at <= readable + slack);
    num_in_time += at <= readable + slack;
  }
  CHECK(num_in_time == 3);
}

TEST_CASE("the end of a connection is told now", "[bench][socket]") {
  Pair pair;
  pair.server.reset();
  REQUIRE(pair.is_readable(10'000));
  char buffer[100];
  TimePoint at;
  const TimePoint before = now();
  CHECK(receive(pair.client.get(), buffer, &at) == 0);
  CHECK(at >= before);
}

}  // namespace
}  // namespace tern::bench
