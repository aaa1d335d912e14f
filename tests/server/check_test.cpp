// What ternd --check finds.
#include "server/check.h"

#include <catch2/catch.hpp>

#include "server/http/bound_socket.h"
#include "server/server.h"
#include "tests/support/source_dir.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using Catch::Matchers::Contains;
using Catch::Matchers::Equals;
using Catch::Matchers::StartsWith;

namespace {

Config valid(const test::TempDir& dir) {
  Config config;
  config.engine.model_dir = source_path("models/tern-stories");
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
  config.engine.chat_template_file = dir.path() + "/t.jinja";
  config.server.listen = {taken->address(), "127.0.0.1:99999"};
  config.server.http.listen = {"unix:/nowhere/http.sock"};
  config.server.admin_listen = "127.0.0.1:x";
  const std::vector<std::string> found = problems(config);
  REQUIRE(found.size() == 7);
  CHECK_THAT(found[0], StartsWith("server.listen: ") && Contains("127.0.0.1:99999"));
  CHECK_THAT(found[1], StartsWith("admin.listen: ") && Contains("127.0.0.1:x"));
  CHECK_THAT(found[2], StartsWith("model.config_file: " + dir.path() + "/config.json: ") &&
                           Contains("'X' is not supported"));
  CHECK_THAT(found[3], StartsWith("model.chat_template: " + dir.path() + "/t.jinja: "));
  CHECK_THAT(found[4], StartsWith("model.path: no model at " + dir.path() + "/nobody"));
  CHECK_THAT(found[5], StartsWith("server.listen: cannot listen on " + taken->address()) &&
                           Contains("in use"));
  CHECK_THAT(found[6], StartsWith("http.listen: ") && Contains("/nowhere: No such file"));
}

TEST_CASE("problems stand where their keys do", "[check]") {
  const test::TempDir dir;
  Config config = valid(dir);
  const auto parse = [&](const std::string& yaml) {
    config = valid(dir);
    REQUIRE(parse_config(yaml, "t.yaml", config).ok());
    return problems(config);
  };
  using Lines = std::vector<std::string>;
  // What is wrong of the scheduler is not the model's fault, and hides nothing of the model's.
  Lines found = parse("model: {path: nobody}\nscheduler:\n  reserved_seqs_system: 500\n");
  REQUIRE(found.size() == 2);
  CHECK_THAT(found[0],
             Equals("t.yaml:3: policy.reserved_seqs_system: needs policy priority, is 'fcfs'"));
  CHECK_THAT(found[1], StartsWith("t.yaml:1: model.path: no model at nobody"));
  found = parse("engine: {simulate: true}\nscheduler: {max_num_batched_tokens: 1}\n");
  CHECK(found == Lines{"t.yaml:2: scheduler.max_num_batched_tokens: must be at least max_num_seqs "
                       "(64), or some decodes would never get their token; is 1"});
  found = parse("model:\n  max_model_len: 1000000\n");
  REQUIRE(found.size() == 1);
  CHECK_THAT(found[0], StartsWith("t.yaml:2: model.max_model_len: max_model_len 1000000 is over"));
}

TEST_CASE("variables that keep ternd from starting are problems of their own", "[check]") {
  const test::TempDir dir;
  const Config config = valid(dir);
  REQUIRE(setenv("TERN_CPU_ISA", "foo", 1) == 0);
  REQUIRE(setenv("TERN_FAIL_POINTS", "foo", 1) == 0);
  const std::vector<std::string> found = problems(config);
  unsetenv("TERN_CPU_ISA");
  unsetenv("TERN_FAIL_POINTS");
  REQUIRE(found.size() == 2);
  CHECK(found[0] == "TERN_FAIL_POINTS: fail point 'foo': must be NAME=ACTION");
  CHECK_THAT(found[1], StartsWith("TERN_CPU_ISA: 'foo' is none that this CPU runs: "));
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

TEST_CASE("a path that holds something else than a socket is a problem, and stays", "[check]") {
  const test::TempDir dir;
  const std::string file = dir.write("file", "precious"), folder = dir.path() + "/folder";
  std::filesystem::create_directory(folder);
  for (const auto& [path, why] : {std::pair{file, file + " exists and is no socket"},
                                  std::pair{folder, folder + " is a directory"}}) {
    Config config = valid(dir);
    config.server.listen = {"unix:" + path};
    const std::vector<std::string> found = problems(config);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == "server.listen: cannot listen on unix:" + path + ": " + why);
    const auto started = Server::start(config.server, {});
    REQUIRE_FALSE(started.ok());
    CHECK(started.status().message() == found[0]);

    config = valid(dir);
    config.server.http.listen = {"unix:" + path};
    config.server.admin_listen = "unix:" + path + ".admin";
    REQUIRE(problems(config).size() == 1);
    CHECK(problems(config)[0] == "http.listen: cannot listen on unix:" + path + ": " + why);
    CHECK(Server::start(config.server, {}).status().message() == problems(config)[0]);

    config = valid(dir);
    config.server.admin_listen = "unix:" + path;
    REQUIRE(problems(config).size() == 1);
    CHECK(problems(config)[0] == "admin.listen: cannot listen on unix:" + path + ": " + why);
    CHECK(Server::start(config.server, {}).status().message() == problems(config)[0]);
  }
  CHECK(std::filesystem::is_directory(folder));
  CHECK(std::filesystem::file_size(file) == 8);
}

TEST_CASE("one unix socket for two listeners is a problem that names both", "[check]") {
  const test::TempDir dir;
  const std::string socket = "unix:" + dir.path() + "/one.sock";
  const auto check_says = [](const Config& config, const std::string& said) {
    REQUIRE(problems(config).size() == 1);
    CHECK(problems(config)[0] == said);
    const auto started = Server::start(config.server, {});
    REQUIRE_FALSE(started.ok());
    CHECK(started.status().message() == said);
  };
  Config config = valid(dir);
  config.server.listen = config.server.http.listen = {socket};
  check_says(config, "http.listen: cannot listen on " + socket +
                         ": it is named by server.listen and by http.listen");
  config = valid(dir);
  config.server.http.listen = {socket};
  config.server.admin_listen = "unix:" + dir.path() + "/./one.sock";
  check_says(config, "admin.listen: cannot listen on " + config.server.admin_listen +
                         ": it is named by http.listen and by admin.listen");
  config = valid(dir);
  config.server.listen = {socket, socket};
  check_says(config,
             "server.listen: cannot listen on " + socket + ": it is named by server.listen twice");
  config = valid(dir);
  config.server.listen = {socket};
  config.server.http.listen = {socket + ".admin"};
  config.server.admin_listen = "auto";  // the first address and ".admin"
  check_says(config, "admin.listen: cannot listen on " + socket +
                         ".admin: it is named by http.listen and by admin.listen");
}

TEST_CASE("a template that cannot be compiled costs chat alone", "[check]") {
  const test::TempDir dir;
  Config config = valid(dir);
  config.engine.chat_template_file = dir.write("t.jinja", "{% if %}");
  CHECK(problems(config).empty());
  config.engine.chat_template_file = dir.path();
  REQUIRE(problems(config).size() == 1);
  CHECK_THAT(problems(config)[0], StartsWith("model.chat_template: " + dir.path()));
}

TEST_CASE("sizes that do not fit are told with their keys", "[check]") {
  const test::TempDir dir;
  Config config = valid(dir);
  config.engine.kv_cache_bytes = uint64_t(60) << 40;
  REQUIRE(problems(config).size() == 1);
  CHECK_THAT(problems(config)[0], StartsWith("engine.kv_cache_bytes: the model does not fit"));
  config.engine.kv_cache_bytes = 1;
  config.engine.max_model_len = 128;
  REQUIRE(problems(config).size() == 1);
  CHECK_THAT(problems(config)[0], StartsWith("engine.kv_cache_bytes: kv_cache_bytes 1 holds 0"));
  config = valid(dir);
  config.engine.max_model_len = 1'000'000;
  REQUIRE(problems(config).size() == 1);
  CHECK_THAT(problems(config)[0], StartsWith("model.max_model_len: max_model_len 1000000 is over"));
}
