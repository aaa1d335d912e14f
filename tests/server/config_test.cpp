// Configuration files: every mistake is named with its line and key; the shipped files are right.
#include "server/config.h"

#include <catch2/catch.hpp>
#include <map>
#include <fstream>
#include <sstream>

#include "server/config_schema.h"
#include "server/http_address.h"
#include "tests/support/source_dir.h"

using namespace tern;

namespace {

std::string parse_error(const std::string& yaml) {
  Config config;
  const Status status = parse_config(yaml, "t.yaml", config);
  if (!status.ok()) CHECK(status.code() == Code::kInvalidArgument);
  return status.message();
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("values arrive where they belong", "[config]") {
  Config config;
  REQUIRE(parse_config(R"(
model:
  path: /some/where
  name: "007"
engine:
  kv_cache_bytes: 1.5GiB
  simulate: true
scheduler:
  policy: priority
  max_num_seqs: 8
server:
  listen: ["127.0.0.1:0", "unix:sock"]
  max_receive_bytes: 4096
  min_ping_interval: 500ms
limits:
  max_prompt_bytes: 2M
shutdown:
  drain_timeout: 2m
log:
)",
                       "t.yaml", config)
              .ok());
  CHECK(config.engine.model_dir == "/some/where");
  CHECK(config.engine.served_name == "007");
  CHECK(config.engine.kv_cache_bytes == 1610612736u);
  CHECK(config.engine.simulate);
  CHECK(config.engine.scheduler.policy.name == "priority");
  CHECK(config.engine.scheduler.max_num_seqs == 8);
  CHECK(config.server.listen == std::vector<std::string>{"127.0.0.1:0", "unix:sock"});
  CHECK(config.server.max_receive_bytes == 4096);
  CHECK(config.server.min_ping_interval == Seconds(0.5));
  CHECK(config.server.limits.max_prompt_bytes == 2000000u);
  CHECK(config.drain_timeout == Seconds(120));
  CHECK(config.log_level == "info");
}

TEST_CASE("steps of the simulated engine take what they are told to", "[config]") {
  Config config;
  REQUIRE(parse_config("simulate:\n  step_base: 20ms\n  step_per_token: 3us\n", "t", config).ok());
  CHECK(config.engine.simulated_step.base == Seconds(0.02));
  CHECK(config.engine.simulated_step.per_token.count() == Approx(3e-6));
  CHECK(config.engine.simulated_step.per_sequence == Seconds(2e-5));
  CHECK(summarize(config).at("simulate.step_per_token") == "3us");
  CHECK(parse_error("simulate:\n  step_base: 2m\n") ==
        "t.yaml:2: simulate.step_base: must be in [0, 60], is 2m");
}

TEST_CASE("defaults of sampling are numbers, or the model's own", "[config]") {
  Config config;
  CHECK(summarize(config).at("sampling.temperature") == "auto");
  REQUIRE(parse_config("sampling:\n  temperature: 0.2\n  top_k: 40\n  max_tokens: 400\n"
                       "  repetition_penalty: 1.1\n  presence_penalty: -0.5\n  min_p: 0\n",
                       "t", config)
              .ok());
  CHECK(config.engine.sampling.temperature == 0.2f);
  CHECK(config.engine.sampling.top_k == 40);
  CHECK(config.engine.sampling.max_tokens == 400);
  CHECK(config.engine.sampling.min_p == 0);
  CHECK(!config.engine.sampling.top_p);
  Config again;
  REQUIRE(parse_config(print_config(config), "printed", again).message() == "");
  CHECK(summarize(again) == summarize(config));
  CHECK(again.engine.sampling.repetition_penalty == 1.1f);
  REQUIRE(set_config("sampling.temperature=auto", config).ok());
  CHECK(!config.engine.sampling.temperature);

  CHECK(parse_error("sampling:\n  temperature: 3\n") ==
        "t.yaml:2: sampling.temperature: must be in [0, 2], is 3");
  CHECK(parse_error("sampling:\n  top_p: warm\n") ==
        "t.yaml:2: sampling.top_p: must be a number, or auto, is 'warm'");
  CHECK(parse_error("sampling:\n  top_p: .nan\n") ==
        "t.yaml:2: sampling.top_p: must be a number, or auto, is '.nan'");
  CHECK(parse_error("sampling:\n  max_tokens: 0\n") ==
        "t.yaml:2: sampling.max_tokens: must be in [1, 2147483647], is 0");
  CHECK(parse_error("sampling:\n  top_k: 1.5\n") ==
        "t.yaml:2: sampling.top_k: must be a whole number, is '1.5'");
}

TEST_CASE("all mistakes of a file are named", "[config]") {
  CHECK(parse_error("modle:\n  path: x\nlog:\n  level: loud\nhttp: 3\n") ==
        "t.yaml:1: modle: unknown key\n"
        "t.yaml:4: log.level: must be one of trace, debug, info, warn, error, off, is 'loud'\n"
        "t.yaml:5: http: must be a map of keys");
}

TEST_CASE("one address needs no list", "[config]") {
  Config config;
  REQUIRE(parse_config("server:\n  listen: localhost:1\n", "t.yaml", config).ok());
  CHECK(config.server.listen == std::vector<std::string>{"localhost:1"});
}

TEST_CASE("HTTP is served on the loopback unless it is told otherwise", "[config]") {
  const auto listen = [](const std::string& yaml) {
    Config config;
    REQUIRE(parse_config(yaml, "t.yaml", config).ok());
    return resolve_http_listen(config.server.http.listen);
  };
  CHECK(listen("").addresses == std::vector<std::string>{"127.0.0.1:8000"});
  CHECK(listen("").is_default);
  CHECK(listen("http: {listen: auto}").is_default);
  CHECK_FALSE(listen("http: {listen: 127.0.0.1:8000}").is_default);  // must be free
  CHECK(listen("http: {listen: [\"127.0.0.1:1\", \"unix:x\"]}").addresses.size() == 2);
  for (const char* off : {"off", "\"\"", "[]", "\"off\""})
    CHECK(listen("http: {listen: " + std::string(off) + "}").addresses.empty());
}

TEST_CASE("every mistake names file, line and key", "[config]") {
  CHECK(parse_error("modle:\n  path: x\n") == "t.yaml:1: modle: unknown key");
  CHECK(parse_error("scheduler:\n  max_num_seq: 4\n") ==
        "t.yaml:2: scheduler.max_num_seq: unknown key; did you mean scheduler.max_num_seqs?");
  CHECK(parse_error("# a comment\nscheduler:\n\n  max_num_seqs: many\n") ==
        "t.yaml:4: scheduler.max_num_seqs: must be a whole number, is 'many'");
  CHECK(parse_error("scheduler:\n  max_num_seqs: 1.5\n") ==
        "t.yaml:2: scheduler.max_num_seqs: must be a whole number, is '1.5'");
  CHECK(parse_error("scheduler:\n  max_num_seqs: 0\n") ==
        "t.yaml:2: scheduler.max_num_seqs: must be in [1, 65536], is 0");
  CHECK(parse_error("scheduler:\n  max_num_seqs: 99999999999999\n") ==
        "t.yaml:2: scheduler.max_num_seqs: must be in [1, 65536], is 99999999999999");
  CHECK(parse_error("scheduler:\n  max_num_seqs: \"8\"\n") ==
        "t.yaml:2: scheduler.max_num_seqs: must not be text, is \"8\"");
  CHECK(parse_error("scheduler:\n  block_size: 16\n  block_size: 32\n") ==
        "t.yaml:3: scheduler.block_size: duplicate key");
  CHECK(parse_error("model:\n  path: x\nengine:\nmodel:\n  name: y\n") ==
        "t.yaml:4: model: duplicate key");
  CHECK(parse_error("scheduler:\n  policy: sjf\n")
            .starts_with("t.yaml:2: scheduler.policy: must be one of fcfs, priority"));
  CHECK(parse_error("engine:\n  simulate: yes\n") ==
        "t.yaml:2: engine.simulate: must be true or false, is 'yes'");
  CHECK(parse_error("engine:\n  kv_cache_bytes: 3 potatoes\n") ==
        "t.yaml:2: engine.kv_cache_bytes: must be a size (B, K, M, G, KiB, MiB, GiB), is '3 "
        "potatoes'");
  CHECK(parse_error("engine:\n  kv_cache_bytes: -1\n")
            .starts_with("t.yaml:2: engine.kv_cache_bytes: must be in [0,"));
  CHECK(parse_error("shutdown:\n  drain_timeout: 10\n") ==
        "t.yaml:2: shutdown.drain_timeout: must be a duration with its unit (us, ms, s, m, h), is "
        "'10'");
  CHECK(parse_error("model:\n  path:\n") == "t.yaml:2: model.path: has no value");
  CHECK(parse_error("model:\n  path: [a]\n") ==
        "t.yaml:2: model.path: must be one value, is a list");
  CHECK(parse_error("model: x\n") == "t.yaml:1: model: must be a map of keys");
  CHECK(parse_error("server:\n  listen: []\n") == "t.yaml:2: server.listen: must not be empty");
  CHECK(parse_error("- a\n") == "t.yaml:1: must be a map of sections, as in configs/ternd.yaml");
  CHECK(parse_error("model:\n  path: [a\n").starts_with("t.yaml:3: "));
  CHECK(parse_error("").empty());
}

TEST_CASE("a missing file is named", "[config]") {
  Config config;
  const Status status = load_config("no/such/file.yaml", config);
  CHECK(status.code() == Code::kNotFound);
  CHECK(status.message() == "cannot read no/such/file.yaml: No such file or directory");
}

TEST_CASE("set overrides one key", "[config]") {
  Config config;
  REQUIRE(set_config("scheduler.max_num_seqs=3", config).ok());
  REQUIRE(set_config("model.path=a: b=c", config).ok());
  REQUIRE(set_config("model.name=", config).ok());
  REQUIRE(set_config("server.listen=[a:1, b:2]", config).ok());
  CHECK(config.engine.scheduler.max_num_seqs == 3);
  CHECK(config.engine.model_dir == "a: b=c");
  CHECK(config.server.listen == std::vector<std::string>{"a:1", "b:2"});

  CHECK(set_config("scheduler.max_num_seqs", config).message() ==
        "--set scheduler.max_num_seqs: must be key.path=value");
  CHECK(set_config("scheduler.max_num_seqs=0", config).message() ==
        "--set scheduler.max_num_seqs: must be in [1, 65536], is 0");
  CHECK(set_config("scheduler.max_num_seqs=", config).message() ==
        "--set scheduler.max_num_seqs: has no value");
  CHECK(set_config("sheduler.policy=fcfs", config).message() ==
        "--set sheduler.policy: unknown key; did you mean scheduler.policy?");
  CHECK(set_config("server.listen=[a", config).code() == Code::kInvalidArgument);
  CHECK(config.engine.scheduler.max_num_seqs == 3);
}

TEST_CASE("policies' keys have a section, and their earlier paths still work", "[config]") {
  const auto reserved = [](const std::string& yaml) {
    Config config;
    CHECK(parse_config(yaml, "t.yaml", config).message() == "");
    return config.engine.scheduler.policy.settings["reserved_seqs_system"];
  };
  CHECK(reserved("policy:\n  reserved_seqs_system: 2\n") == 2);
  CHECK(reserved("scheduler:\n  policy: priority\n  reserved_seqs_system: 3\n") == 3);
  Config config;
  REQUIRE(set_config("scheduler.reserved_seqs_interactive=4", config).ok());
  CHECK(summarize(config).at("policy.reserved_seqs_interactive") == "4");
  CHECK(
      parse_error("scheduler:\n  reserved_seqs_system: 1\npolicy:\n  reserved_seqs_system: 1\n") ==
      "t.yaml:4: policy.reserved_seqs_system: duplicate key");
  CHECK(parse_error("policy:\n  reserved_seqs_system: -1\n") ==
        "t.yaml:2: policy.reserved_seqs_system: must be in [0, 65535], is -1");
}

TEST_CASE("a configuration without a model is refused, unless simulated", "[config]") {
  Config config;
  CHECK(check_config(config).message().starts_with("model.path: must be set"));
  config.engine.simulate = true;
  CHECK(check_config(config).ok());
}

TEST_CASE("keys that do not go together are named where they stand", "[config]") {
  const auto mistakes = [](const std::string& yaml, const std::vector<std::string>& set = {}) {
    Config config;
    config.engine.model_dir = "x";
    REQUIRE(parse_config(yaml, "t.yaml", config).message() == "");
    for (const std::string& assignment : set) REQUIRE(set_config(assignment, config).ok());
    const std::vector<std::string> found = find_mistakes(config);
    CHECK(check_config(config).ok() == found.empty());
    return found;
  };
  using Lines = std::vector<std::string>;
  CHECK(mistakes("").empty());
  CHECK(mistakes(
            "scheduler:\n  max_num_seqs: 4\n  policy: priority\n  reserved_seqs_system: 500\n") ==
        Lines{"t.yaml:4: policy.reserved_seqs_system: reserved_seqs_system + "
              "reserved_seqs_interactive: must be below max_num_seqs (4), or other classes would "
              "never run; are 500"});
  CHECK(mistakes("scheduler: {reserved_seqs_interactive: 1}") ==
        Lines{"t.yaml:1: policy.reserved_seqs_interactive: needs policy priority, is 'fcfs'"});
  // The key that is too small was left to its default.
  CHECK(mistakes("scheduler:\n  max_num_seqs: 600\n") ==
        Lines{"t.yaml:2: scheduler.max_num_batched_tokens: must be at least max_num_seqs (600), or "
              "some decodes would never get their token; is 512"});
  CHECK(mistakes("", {"scheduler.max_num_seqs=600"})[0].starts_with(
      "--set scheduler.max_num_batched_tokens: must be at least max_num_seqs (600)"));
  CHECK(
      mistakes("scheduler: {max_num_seqs: 600}", {"scheduler.max_num_batched_tokens=600"}).empty());
  CHECK(mistakes("limits:\n  max_queued_requests: 5\n  reserved_queue_system: 5\n") ==
        Lines{"t.yaml:3: limits.reserved_queue_system + limits.reserved_queue_interactive: must be "
              "below limits.max_queued_requests (5), are 5"});
  CHECK(mistakes("server: {listen: a:1}\nhttp:\n  listen: a:1\n") ==
        Lines{"t.yaml:3: http.listen: cannot listen on a:1: it is named by server.listen and by "
              "http.listen"});
  CHECK(mistakes("server: {listen: 127.0.0.1:8000}").empty());  // HTTP does without its default
  CHECK(mistakes("server: {listen: [\"a:0\", \"a:0\"]}").empty());
  CHECK(mistakes("admin: {listen: nowhere}") ==
        Lines{"t.yaml:1: admin.listen: listen address 'nowhere': must be HOST:PORT (port 0 to "
              "65535) or unix:PATH"});
  CHECK(mistakes("scheduler: {max_num_seqs: 600}\nserver: {listen: nowhere}").size() == 2);
  CHECK(mistakes("model: {path: ~/m, chat_template: ~/t.jinja}\nhttp: {listen: \"unix:~/s\"}") ==
        Lines{"t.yaml:1: model.path: the ~ of a shell is not expanded here: write the whole path, "
              "not '~/m'",
              "t.yaml:1: model.chat_template: the ~ of a shell is not expanded here: write the "
              "whole path, not '~/t.jinja'",
              "t.yaml:2: http.listen: listen address 'unix:~/s': the ~ of a shell is not expanded "
              "here"});
}

TEST_CASE("an address is one address", "[config]") {
  const auto why = [](const std::string& address) {
    Config config;
    config.engine.model_dir = "x";
    config.server.http.listen = {address};
    const std::string said = check_config(config).message();
    const std::string begin = "http.listen: listen address '" + address + "': ";
    if (said.empty()) return said;
    REQUIRE(said.starts_with(begin));
    return said.substr(begin.size());
  };
  constexpr const char* kForm = "HOST:PORT (port 0 to 65535) or unix:PATH";
  for (const char* good : {"127.0.0.1:1", "[::1]:1", "host:0", "unix:a,b", "unix:x"})
    CHECK(why(good) == "");
  for (const char* url : {"http://127.0.0.1:1", "https://x", "tcp://a:1,b:2"})
    CHECK(why(url) == std::string("is a URL; must be ") + kForm);
  for (const char* several : {"a,b", "auto,127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2"})
    CHECK(why(several) == std::string("must be one address, ") + kForm +
                              "; several are a list in the configuration: [A, B]");
  for (const char* wrong : {"a", "a:", ":1", "a:x", "a:65536", "a:-1"})
    CHECK(why(wrong) == std::string("must be ") + kForm);
  CHECK(why("unix:") == "the path must have 1 to 107 bytes");
}

TEST_CASE("every default is allowed by its own row, and printing is read back", "[config]") {
  Config config;
  for (const ConfigKey& key : config_keys()) {
    CAPTURE(key.path);
    const ConfigSlot slot = key.slot(config);
    const std::string text = print_value(slot);
    if (text.front() != '"' && text.front() != '[') CHECK(parse_value(key, text, slot).ok());
  }
  config.engine.model_dir = "dir with \"quotes\" and \\";
  config.server.min_ping_interval = Seconds(0.25);
  config.server.limits.max_prompt_bytes = 1234567;
  config.server.listen = {"a:1", "b:2"};
  Config again;
  REQUIRE(parse_config(print_config(config), "printed", again).ok());
  CHECK(summarize(again) == summarize(config));
  CHECK(again.engine.model_dir == config.engine.model_dir);
  CHECK(again.server.limits.max_prompt_bytes == 1234567);
}

TEST_CASE("configs/ternd.yaml is every key at its default", "[config]") {
  const std::string path = source_path("configs/ternd.yaml");
  Config config;
  REQUIRE(load_config(path, config).message() == "");
  CHECK(summarize(config) == summarize(Config()));
  CHECK(read_file(path) == print_config(Config()));  // ternd --print-config > configs/ternd.yaml
}

TEST_CASE("the presets of configs/scheduling are right, and what they are called", "[config]") {
  const std::map<std::string, std::string> policy_of = {
      {"fcfs", "fcfs"}, {"pars", "pars"}, {"pars-slo", "pars"}, {"hrrn", "hrrn"}};
  for (const auto& [name, policy] : policy_of) {
    Config config;
    const std::string path = source_path("configs/scheduling/" + name + ".yaml");
    REQUIRE(load_config(path, config).message() == "");
    config.engine.model_dir = "tern-stories";  // they are used with --model, or pasted
    CHECK(check_config(config).message() == "");
    CHECK(config.engine.scheduler.policy.name == policy);
  }
}

TEST_CASE("configs/demo.yaml and configs/smollm2.yaml can be served", "[config]") {
  Config demo, smollm2;
  REQUIRE(load_config(source_path("configs/demo.yaml"), demo).message() == "");
  CHECK(check_config(demo).ok());
  REQUIRE(load_config(source_path("configs/smollm2.yaml"), smollm2).message() == "");
  CHECK(describe(smollm2.engine.sampling) ==
        "temperature 0.2, top_p 0.9, repetition_penalty 1.1, max_tokens 400");
}
