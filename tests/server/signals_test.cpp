// What asks the daemon to end, and when.
#include "server/signals.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

Signals::Seen look(Signals& signals) {
  return signals.wait(Seconds(0), [](const Signals::Seen&) { return true; });
}

Seconds left(const Signals::Seen& seen) {
  return Seconds(*seen.drain_by - std::chrono::steady_clock::now());
}

}  // namespace

TEST_CASE("a drain that is told again ends as early as any of them wants", "[signals]") {
  Signals signals;
  CHECK(signals.request_drain(Seconds(60)));
  Signals::Seen seen = look(signals);
  CHECK(seen.stops == 1);
  CHECK(seen.drain_timeout == Seconds(60));
  CHECK_FALSE(seen.drain_by);
  CHECK_FALSE(signals.request_drain({}));  // says nothing new
  CHECK_FALSE(look(signals).drain_by);

  CHECK_FALSE(signals.request_drain(Seconds(30)));
  seen = look(signals);
  CHECK(seen.stops == 1);
  CHECK(seen.drain_timeout == Seconds(60));
  CHECK(left(seen).count() == Approx(30).margin(5));
  CHECK_FALSE(seen.must_end_drain());
  CHECK_FALSE(signals.request_drain(Seconds(50)));  // later than what counts
  CHECK(left(look(signals)).count() < 30);
  CHECK_FALSE(signals.request_drain(Seconds(0)));
  CHECK(look(signals).must_end_drain());
}

TEST_CASE("a wait ends when a later drain is due", "[signals]") {
  Signals signals;
  CHECK(signals.request_drain({}));
  CHECK_FALSE(signals.request_drain(Seconds(0.05)));
  const auto start = std::chrono::steady_clock::now();
  const Signals::Seen seen =
      signals.wait(Seconds(30), [](const Signals::Seen& s) { return s.must_end_drain(); });
  CHECK(seen.must_end_drain());
  CHECK(Seconds(std::chrono::steady_clock::now() - start).count() < 10);
}
