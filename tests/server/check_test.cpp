// What ternd --check finds.
#include "server/check.h"

#include <catch2/catch.hpp>

#include "server/http/bound_socket.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

Config valid(const test::TempDir& dir) {
  Config config;
  config.engine.model_dir = TERN_SOURCE_DIR "/models/tern-stories";
  config.server.listen = {"127.0.0.1:0"};
  config.server.http.listen = {"127.0.0.1:0"};
  config.server.admin_listen = "unix:" + dir.path() + "/admin.sock";
  return config;
}

std::vector<std::string> problems(const Config& config) {
  std::string model;
  return find_problems(config, &model);
}

}  // namespace

TEST_CASE("a configuration that can be served has no problems", "[check]") {
  const test::TempDir dir;
  std::string model;
  CHECK(find_problems(valid(dir), &model).empty());
  CHECK_THAT(model, StartsWith("model tern-stories: LlamaForCausalLM, ") &&
                        Contains(" parameters (bf16), context "));
}

TEST_CASE("every problem is reported, with its key and file", "[check]") {
  const test::TempDir dir;
  const auto taken = http::BoundSocket::bind("127.0.0.1:0");
  REQUIRE(taken.ok());
  Config config = valid(dir);
  config.engine.model_dir = dir.path() + "/nobody";
  config.engine.hf_config_file = dir.write("config.json", R"({"architectures": ["X"]})");
  config.engine.chat_template_file = dir.write("t.jinja", "{% if %}");
  config.server.listen = {taken->address(), "127.0.0.1:99999"};
  config.server.http.listen = {"unix:/nowhere/http.sock"};
  config.server.admin_listen = "127.0.0.1:x";
  const std::vector<std::string> found = problems(config);
  REQUIRE(found.size() == 7);
  CHECK_THAT(found[0], StartsWith("model.config_file: " + dir.path() + "/config.json: ") &&
                           Contains("'X' is not supported"));
  CHECK_THAT(found[1], StartsWith("model.chat_template: " + dir.path() + "/t.jinja: "));
  CHECK_THAT(found[2], StartsWith("model.path: no model at " + dir.path() + "/nobody"));
  CHECK_THAT(found[3], StartsWith("server.listen: cannot listen on " + taken->address()) &&
                           Contains("in use"));
  CHECK_THAT(found[4], StartsWith("server.listen: ") && Contains("127.0.0.1:99999"));
  CHECK_THAT(found[5], StartsWith("http.listen: ") && Contains("/nowhere: No such file"));
  CHECK_THAT(found[6], StartsWith("admin.listen: ") && Contains("127.0.0.1:x"));
}

TEST_CASE("two listeners on one port are a problem, and nothing is left behind", "[check]") {
  const test::TempDir dir;
  std::string address;
  {
    const auto free = http::BoundSocket::bind("127.0.0.1:0");
    REQUIRE(free.ok());
    address = free->address();
  }
  Config config = valid(dir);
  config.server.listen = {address};
  CHECK(problems(config).empty());
  CHECK(problems(config).empty());
  config.server.http.listen = {address};
  REQUIRE(problems(config).size() == 1);
  CHECK_THAT(problems(config)[0], StartsWith("http.listen: cannot listen on " + address));
  CHECK(std::filesystem::is_empty(dir.path()));
}
