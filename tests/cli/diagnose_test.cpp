// Why a server cannot be reached.
#include "cli/support/diagnose.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace tern;

namespace {

constexpr Seconds kPatience{5.0}, kShort{0.3};

// Listens on 127.0.0.1 and answers the first bytes of every connection with `reply`, then hangs up;
// with `keeps_silent` it only listens.
class Peer {
 public:
  explicit Peer(std::string reply, bool keeps_silent = false, bool waits_for_tls = false)
      : reply_(std::move(reply)), silent_(keeps_silent), waits_for_tls_(waits_for_tls) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(fd_, 8) == 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    this->address = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Peer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }

  std::string address;

 private:
  void serve() {
    for (int client; (client = accept(fd_, nullptr, nullptr)) >= 0; close(client)) {
      char bytes[256];
      if (silent_) {
        while (recv(client, bytes, sizeof bytes, 0) > 0) continue;
        continue;
      }
      const ssize_t size = recv(client, bytes, sizeof bytes, 0);
      if (size <= 0 || (waits_for_tls_ && bytes[0] != '\x16')) continue;
      (void)!send(client, reply_.data(), reply_.size(), MSG_NOSIGNAL);
    }
  }

  const std::string reply_;
  const bool silent_, waits_for_tls_;
  int fd_ = -1;
  std::thread thread_;
};

void check_says(const std::string& why, const std::string& words) {
  INFO(why);
  CHECK(why.find(words) != std::string::npos);
}

}  // namespace

TEST_CASE("an address that cannot be one is told", "[diagnose]") {
  for (const char* good :
       {"127.0.0.1:50051", "localhost:1", "[::1]:50051", "unix:/run/x", "unix:///run/x",
        "dns:///host:80", "ipv4:127.0.0.1:5", "host.example:65535"})
    CHECK(find_address_mistake(good) == "");
  check_says(find_address_mistake("localhost"), "there is no port");
  check_says(find_address_mistake("::1"), "there is no port");
  check_says(find_address_mistake("host:"), "there is no port");
  check_says(find_address_mistake(":50051"), "there is no host");
  check_says(find_address_mistake("http://127.0.0.1:8000"), "it is an URL");
  check_says(find_address_mistake("/run/tern.sock"), "it is a path");
  check_says(find_address_mistake("host:http"), "'http' is no port");
  check_says(find_address_mistake("host:70000"), "'70000' is no port");
  check_says(find_address_mistake("host:0"), "'0' is no port");
  check_says(find_address_mistake("unix:"), "there is no path");
}

TEST_CASE("what listens at the address is told", "[diagnose]") {
  check_says(why_unreachable("127.0.0.1:1", kPatience), "connection refused");
  check_says(why_unreachable("no-such-host.invalid:50051", kPatience), "cannot be resolved");
  check_says(why_unreachable(Peer("HTTP/1.1 400 Bad Request\r\n\r\n").address, kPatience),
             "it speaks HTTP/1.1");
  check_says(why_unreachable(Peer("SSH-2.0-OpenSSH_9.2\r\n").address, kPatience),
             "answers 'SSH-2.0-OpenSSH_9.2'");
  check_says(why_unreachable(Peer("\x15\x03\x01\x00\x02\x02\x28").address, kPatience), "TLS");
  check_says(why_unreachable(Peer("\x15\x03\x01\x00\x02\x02\x28", false, true).address, kPatience),
             "TLS");
  check_says(why_unreachable(Peer("HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent "
                                  "to HTTPS port")
                                 .address,
                             kPatience),
             "TLS");
  check_says(why_unreachable(Peer("").address, kPatience), "hangs up");
  check_says(why_unreachable(Peer("", true).address, kShort), "does not answer HTTP/2");
  CHECK(why_unreachable(Peer(std::string("\0\0\0\4\0\0\0\0\0", 9)).address, kPatience) == "");
}

TEST_CASE("what is wrong with a socket is told", "[diagnose]") {
  char name[] = "/tmp/tern-diagnose-XXXXXX";
  const std::string folder = mkdtemp(name);
  check_says(why_unreachable("unix:" + folder + "/none", kPatience), "there is no socket");
  std::ofstream(folder + "/file") << "x";
  check_says(why_unreachable("unix:" + folder + "/file", kPatience), "is no socket");
  check_says(why_unreachable("unix:/" + std::string(200, 'x'), kPatience), "longer than");

  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder + "/left";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  close(fd);
  check_says(why_unreachable("unix:" + path, kPatience), "nobody listens on the socket");
  std::filesystem::remove_all(folder);
}
