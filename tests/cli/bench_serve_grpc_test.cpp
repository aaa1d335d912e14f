// bench serve's gRPC client over real sockets, against a server whose times are known.
#include <catch2/catch.hpp>
#include <iostream>

#include "bench/serve/arrivals.h"
#include "bench/serve/grpc/grpc_transport.h"
#include "bench/serve/load_driver.h"
#include "bench/serve/metrics.h"
#include "tests/cli/known_server.h"
#include "tests/support/temp_dir.h"

using namespace tern;
using namespace tern::bench;

TEST_CASE("2,000 streams a second over a socket: client and server tell the same times",
          "[bench][serve][grpc]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/s";
  test::KnownServer server(path, Seconds(0.02));
  for (const int connections : {1, 3}) {
    const auto transport =
        make_grpc_transport({.address = "unix:" + path, .num_connections = connections});
    const auto facts = transport->connect({});
    REQUIRE(facts.ok());
    CHECK((facts->model == "known" && facts->vocab_size == 100));
    constexpr uint64_t kCount = 4000;
    const LoadResult result = run_load(
        {.arrivals = draw_arrivals(kCount, 2000, 1, 1),
         .request =
             [](uint64_t) {
               return PlannedRequest{.token_ids = std::vector<uint32_t>(16, 1), .max_tokens = 4};
             }},
        *transport, {});
    const Metrics m = compute_metrics(result.records, result.duration_s, {});
    CHECK(m.completed == kCount);
    CHECK(m.failed == 0);
    CHECK(m.total_output_tokens == 4 * kCount);
    CHECK(m.itl.count == 3 * kCount);
    CHECK(m.server_ttft.count == kCount);
    const double ttft = m.ttft.mean / m.server_ttft.mean - 1;
    const double itl = m.itl.mean / m.server_tpot.mean - 1;
    std::cout << "2,000 streams/s on " << connections << " connections: TTFT "
              << m.server_ttft.mean * 1e3 << " ms, off by " << ttft * 100 << " %, late sends "
              << m.send_delay.mean * 1e6 << " us; ITL " << m.server_tpot.mean * 1e3
              << " ms, off by " << itl * 100 << " %" << std::endl;
    // On an idle machine both means are below 1 %; on a busy one both threads wait for their turns.
    CHECK(std::abs(m.ttft.median / m.server_ttft.median - 1) < 0.2);
    CHECK(std::abs(itl) < 0.05);
  }
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
