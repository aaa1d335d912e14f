// Reloads: what changes, what needs a restart, and what changes nothing.
#include "server/live_config.h"

#include <catch2/catch.hpp>

#include "base/log.h"
#include "tests/support/temp_dir.h"

using namespace tern;

namespace {

struct Live {
  Live() : level_before(log_level()) {
    Config config;
    config.engine.simulate = true;
    config.log_level = level_before;
    read = config;
    live = std::make_unique<LiveConfig>(config, [this] { return read; });
  }
  ~Live() { (void)set_log_level(level_before); }

  Result<std::vector<ConfigChange>> reload() {
    return live->reload([this](const Config& next) {
      ++num_applied;
      return set_log_level(next.log_level).status();
    });
  }

  const std::string level_before;
  Result<Config> read{Config()};
  std::unique_ptr<LiveConfig> live;
  int num_applied = 0;
};

}  // namespace

TEST_CASE("a reload tells what it changes", "[live_config]") {
  Live live;
  CHECK(live.reload()->empty());
  live.read->engine.scheduler.max_num_seqs = 3;
  live.read->server.reflection = false;
  const auto changes = live.reload();
  REQUIRE(changes.ok());
  REQUIRE(changes->size() == 2);
  CHECK((*changes)[0].key == "scheduler.max_num_seqs");
  CHECK_FALSE((*changes)[0].needs_restart);
  CHECK((*changes)[1].key == "server.reflection");
  CHECK((*changes)[1].needs_restart);
  CHECK(live.live->get().engine.scheduler.max_num_seqs == 3);
}

TEST_CASE("a level that an operator set goes back, and the reload says so", "[live_config]") {
  Live live;
  REQUIRE(set_log_level("error").ok());
  const auto changes = live.reload();
  REQUIRE(changes.ok());
  REQUIRE(changes->size() == 1);
  CHECK((*changes)[0].key == "log.level");
  CHECK((*changes)[0].old_value == "\"error\"");
  CHECK((*changes)[0].new_value == "\"" + live.level_before + "\"");
  CHECK(log_level() == live.level_before);
  CHECK(live.reload()->empty());
}

TEST_CASE("a configuration that cannot be read is invalid, whatever the cause", "[live_config]") {
  const test::TempDir dir;
  Live live;
  Config config;
  for (const std::string& path :
       {dir.path() + "/none.yaml", dir.path(), dir.write("x", "a: b: c")}) {
    live.read = load_config(path, config);
    const Status status = live.reload().status();
    CHECK(status.code() == Code::kInvalidArgument);
    REQUIRE(status.detail());
    CHECK(status.detail()->reason == "CONFIG_INVALID");
    CHECK(status.message().find(path) != std::string::npos);
  }
  CHECK(live.num_applied == 0);
}
