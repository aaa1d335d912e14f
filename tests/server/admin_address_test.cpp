// Where the socket of the operators is, and how others find it.
#include "server/admin_address.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "server/api/listen_address.h"
#include "tests/support/temp_dir.h"

using namespace tern;

TEST_CASE("servers on one port of different addresses have sockets of their own",
          "[admin_address]") {
  const test::TempDir dir;
  REQUIRE(setenv("RUNTIME_DIRECTORY", dir.path().c_str(), 1) == 0);
  const auto of = [](const std::string& listen) {
    return *resolve_admin_address("auto", {listen, "unix:/another"});
  };
  const std::string begin = "unix:" + dir.path() + "/ternd-";
  CHECK(of("127.0.0.1:50051") == begin + "127.0.0.1-50051.sock");
  CHECK(of("127.0.0.2:50051") == begin + "127.0.0.2-50051.sock");
  CHECK(of("[::1]:50051") == begin + "--1-50051.sock");
  CHECK(of("my-host.local:1") == begin + "my-host.local-1.sock");
  CHECK(of("../x/y:1") == begin + "..-x-y-1.sock");
  CHECK(of(std::string(300, 'h') + ":1") == begin + std::string(40, 'h') + "-1.sock");
  CHECK(of("unix:a/b.sock") == "unix:a/b.sock.admin");
  CHECK(*resolve_admin_address("unix:x", {"127.0.0.1:1"}) == "unix:x");
  unsetenv("RUNTIME_DIRECTORY");
}

TEST_CASE("a unix socket is told with its whole path", "[admin_address]") {
  const std::string here = std::filesystem::current_path().string();
  CHECK(absolute_address("unix:ua/g.sock.admin") == "unix:" + here + "/ua/g.sock.admin");
  CHECK(absolute_address("unix:./g") == "unix:" + here + "/g");
  CHECK(absolute_address("unix:/run/g") == "unix:/run/g");
  CHECK(absolute_address("127.0.0.1:1") == "127.0.0.1:1");
}
