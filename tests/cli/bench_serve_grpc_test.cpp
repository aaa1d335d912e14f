// bench serve's gRPC client over real sockets, against a server whose times are known.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>

#include "bench/support/arrivals.h"
#include "bench/serve/grpc/grpc_transport.h"
#include "bench/serve/load_driver.h"
#include "bench/serve/metrics.h"
#include "tests/cli/known_server.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using namespace tern::bench;

namespace {

constexpr uint64_t kCount = 4000;

LoadResult run_2000_a_second(Transport& transport) {
  return run_load({.arrivals = draw_arrivals(kCount, 2000, 1, 1),
                   .request =
                       [](uint64_t) {
                         return PlannedRequest{.token_ids = std::vector<uint32_t>(16, 1),
                                               .max_tokens = 4};
                       }},
                  transport, {});
}

// The least that the client saw beyond the server's times, in seconds.
double least_ttft_overhead(const std::vector<RequestRecord>& records) {
  double least = 1e9;
  for (const RequestRecord& r : records) least = std::min(least, r.ttft_s() - r.server->ttft_s);
  return least;
}

}  // namespace

TEST_CASE("2,000 streams a second over a socket all arrive", "[bench][serve][grpc]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/s";
  test::KnownServer server(path, Seconds(0.02));
  const int connections = GENERATE(1, 3);
  const auto transport =
      make_grpc_transport({.address = "unix:" + path, .num_connections = connections});
  const auto facts = transport->connect({});
  REQUIRE(facts.ok());
  CHECK((facts->model == "known" && facts->vocab_size == 100));
  const LoadResult result = run_2000_a_second(*transport);
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.completed == kCount);
  CHECK(m.failed == 0);
  CHECK(m.total_output_tokens == 4 * kCount);
  CHECK(m.itl.count == 3 * kCount);
  CHECK(m.server_ttft.count == kCount);
  CHECK(least_ttft_overhead(result.records) > 0);  // nothing is seen before it is written
}

// A measurement, so it runs when it is named: on an idle machine the means are within 1 %
// (docs/benchmarking.md). On a busy one both threads wait for their turns.
TEST_CASE("client and server tell the same times at 2,000 streams a second", "[.][measure]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/s";
  test::KnownServer server(path, Seconds(0.02));
  const auto transport = make_grpc_transport({.address = "unix:" + path, .num_connections = 1});
  REQUIRE(transport->connect({}).ok());
  double best_ttft = 1e9, best_itl = 1e9;
  for (int i = 0; i < 5 && (best_ttft > 0.02 || best_itl > 0.02); ++i) {
    const LoadResult result = run_2000_a_second(*transport);
    const Metrics m = compute_metrics(result.records, result.duration_s, {});
    const double ttft = m.ttft.mean / m.server_ttft.mean - 1;
    const double itl = m.itl.mean / m.server_tpot.mean - 1;
    best_ttft = std::min(best_ttft, std::abs(ttft));
    best_itl = std::min(best_itl, std::abs(itl));
    std::printf(
        "2,000 streams/s: TTFT %.2f ms, off by %.2f %%; ITL off by %.3f %%; late by %.3f ms\n",
        m.server_ttft.mean * 1e3, ttft * 100, itl * 100, m.send_delay.mean * 1e3);
  }
  CHECK(best_ttft < 0.02);
  CHECK(best_itl < 0.02);
}

TEST_CASE("a server that goes away, and one that is not there", "[bench][serve][grpc]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/s";
  const auto nobody = make_grpc_transport({.address = "unix:" + path});
  CHECK(nobody->connect({}).status().code() == Code::kUnavailable);
  for (const char* bad : {"", ":1", "host", "host:", "unix:"})
    CHECK(make_grpc_transport({.address = bad})->connect({}).status().code() == Code::kUnavailable);
  CHECK(make_grpc_transport({.address = "unix:" + path})->connect([] { return true; }).ok() ==
        false);

  auto server = std::make_unique<test::KnownServer>(path, Seconds(0.02));
  const auto transport = make_grpc_transport({.address = "unix:" + path});
  REQUIRE(transport->connect({}).ok());
  LoadHooks hooks{.on_progress = [&](const LoadProgress& p) {
    if (p.num_sent == 20) server.reset();
  }};
  const LoadResult result = run_load(
      {.num_requests = 20,
       .max_concurrency = 20,
       .request = [](uint64_t) { return PlannedRequest{.token_ids = {1}, .max_tokens = 100'000}; }},
      *transport, hooks);
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.failed == 20);
  REQUIRE(m.failures.size() == 1);
  CHECK(m.failures[0].code == "UNAVAILABLE");
}
