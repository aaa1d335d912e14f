// Health by progress: silent with work is sick; idle, busy or amid a long step is not.
#include "server/health_monitor.h"

#include <atomic>
#include <catch2/catch.hpp>

#include "base/log.h"
#include "server/api/admin.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_engine.h"

using namespace tern;

TEST_CASE("an expected long step may take its time", "[health]") {
  EngineStats stats;
  stats.expected_step = Seconds(4);
  CHECK(HealthMonitor::allowed(Seconds(30), stats) == Seconds(30));
  stats.expected_step = Seconds(40);
  CHECK(HealthMonitor::allowed(Seconds(30), stats) == Seconds(120));
}

TEST_CASE("health follows the engine's progress", "[health]") {
  spdlog::set_level(spdlog::level::off);
  FakeEngine engine;
  ServingState state{RequestLimits()};
  std::atomic<int> serving{-1};
  HealthMonitor monitor({.max_silence = Seconds(5), .watchdog_timeout = Seconds(0)}, state,
                        [&](bool s) { serving = s; });
  CHECK(serving == -1);
  state.set_engine(engine);
  monitor.watch(engine);
  CHECK(serving == 1);
  engine.silent = 6;
  CHECK(test::eventually([&] { return serving == 0; }));
  CHECK(state.stuck());
  engine.silent = 0;
  CHECK(test::eventually([&] { return serving == 1; }));
  CHECK(!state.stuck());
  state.announce_draining();
  monitor.update();
  CHECK(serving == 0);
  engine.silent = 6;  // draining does not become serving again
  CHECK(test::eventually([&] { return state.stuck(); }));
  engine.silent = 0;
  CHECK(test::eventually([&] { return !state.stuck(); }));
  CHECK(serving == 0);
}
