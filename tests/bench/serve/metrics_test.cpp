#include "bench/serve/metrics.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "bench/serve/report.h"

using namespace tern;
using namespace tern::bench;

namespace {

RequestRecord completed(double begin_s, std::vector<Chunk> chunks, double end_s) {
  RequestRecord r{.scheduled_s = begin_s, .sent_s = begin_s, .begin_s = begin_s, .end_s = end_s};
  for (const Chunk& chunk : chunks) r.output_tokens += chunk.num_tokens;
  r.chunks = std::move(chunks);
  r.outcome = Outcome::kCompleted;
  r.input_tokens = 10;
  return r;
}

RequestRecord failed(const char* code, const char* reason, const char* message) {
  RequestRecord r;
  r.outcome = Outcome::kFailed;
  r.code = code;
  r.reason = reason;
  r.message = message;
  return r;
}

}  // namespace

TEST_CASE("latencies of hand-made records", "[bench][serve][metrics]") {
  // TTFT 0.5, gaps 0.1 and 0.3, four tokens in three chunks, end at its last byte.
  const RequestRecord first = completed(1, {{1.5, 1}, {1.6, 2}, {1.9, 1}}, 2.0);
  CHECK(first.ttft_s() == Approx(0.5));
  CHECK(first.e2el_s() == Approx(1.0));
  CHECK(first.tpot_s() == Approx(0.5 / 3));
  // One token: no TPOT of its own.
  const RequestRecord second = completed(1.25, {{1.5, 1}}, 1.5);
  CHECK(second.tpot_s() == 0);

  const Metrics m = compute_metrics({first, second}, 2.0, {});
  CHECK(m.completed == 2);
  CHECK(m.ttft.mean == Approx(0.375));
  CHECK(m.tpot.count == 1);
  CHECK(m.tpot.mean == Approx(0.5 / 3));
  CHECK(m.itl.count == 2);
  CHECK(m.itl.mean == Approx(0.2));
  CHECK(m.itl.std == Approx(0.1));
  CHECK(m.e2el.mean == Approx(0.625));
  CHECK(m.tokens_per_chunk == Approx(5.0 / 4));
  CHECK(m.total_output_tokens == 5);
  CHECK(m.total_input_tokens == 20);
  CHECK(m.per_second(double(m.total_output_tokens)) == Approx(2.5));
  CHECK(m.peak_concurrency == 2);
  CHECK(m.peak_tokens_per_s == 5);
}

TEST_CASE("what failed or was cancelled has no latency but counts", "[bench][serve][metrics]") {
  RequestRecord cancelled = completed(0, {{0.2, 1}, {1.2, 1}}, 1.3);
  cancelled.outcome = Outcome::kCancelled;
  const Metrics m =
      compute_metrics({completed(0, {{0.1, 1}}, 0.1), cancelled, failed("UNAVAILABLE", "", "gone"),
                       failed("RESOURCE_EXHAUSTED", "QUEUE_FULL", "first"),
                       failed("RESOURCE_EXHAUSTED", "QUEUE_FULL", "second")},
                      4, {});
  CHECK(m.completed == 1);
  CHECK(m.failed == 3);
  CHECK(m.cancelled == 1);
  CHECK(m.ttft.count == 1);
  CHECK(m.itl.count == 0);
  CHECK(m.total_output_tokens == 1);
  CHECK(m.peak_tokens_per_s == 2);  // its tokens were streamed all the same
  REQUIRE(m.failures.size() == 2);
  CHECK(m.failures[0].count == 2);
  CHECK(m.failures[0].reason == "QUEUE_FULL");
  CHECK(m.failures[0].example == "first");
}

TEST_CASE("concurrency: who ends as another begins does not overlap it",
          "[bench][serve][metrics]") {
  const std::vector<RequestRecord> rows = {completed(0, {}, 1), completed(1, {}, 2),
                                           completed(1.5, {}, 3), completed(1.75, {}, 1.8)};
  CHECK(compute_metrics(rows, 3, {}).peak_concurrency == 3);
  CHECK(compute_metrics({rows[0], rows[1]}, 2, {}).peak_concurrency == 1);
  CHECK(compute_metrics({rows[1], rows[0]}, 2, {}).peak_concurrency == 1);
}

TEST_CASE("tokens fall into seconds from the start", "[bench][serve][metrics]") {
  CHECK(tokens_by_second({completed(0, {{0.999, 3}, {1.0, 2}, {3.5, 1}}, 4)}) ==
        std::vector<uint64_t>{3, 2, 0, 1});
}

TEST_CASE("goodput needs every limit kept", "[bench][serve][metrics]") {
  const ServiceLevel slo{.ttft_s = 0.5, .tpot_s = 0.2, .e2el_s = 2};
  const RequestRecord good = completed(0, {{0.5, 1}, {0.7, 1}}, 0.7);
  RequestRecord late_first = completed(0, {{0.6, 1}, {0.7, 1}}, 0.7);
  RequestRecord slow = completed(0, {{0.5, 1}, {0.8, 1}}, 0.8);
  RequestRecord long_one = completed(0, {{0.1, 1}}, 2.1);  // one token: any TPOT
  RequestRecord broken = good;
  broken.outcome = Outcome::kFailed;
  CHECK(slo.is_met(good.latencies()));
  CHECK_FALSE(slo.is_met(late_first.latencies()));
  CHECK_FALSE(slo.is_met(slow.latencies()));
  CHECK_FALSE(slo.is_met(long_one.latencies()));
  CHECK(compute_metrics({good, late_first, slow, long_one, broken}, 2, slo).good == 1);
}

TEST_CASE("the server's own times stand beside the client's", "[bench][serve][metrics]") {
  RequestRecord r = completed(0, {{0.6, 1}, {0.7, 1}, {1.0, 1}}, 1.1);
  r.sent_s = 0.1;  // late
  r.server = ServerTimings{.ttft_s = 0.4, .e2e_s = 0.8};
  const Metrics m = compute_metrics({r, completed(0, {{1, 1}}, 1)}, 1, {});
  CHECK(m.server_ttft.count == 1);
  CHECK(m.server_ttft.mean == Approx(0.4));
  CHECK(m.server_tpot.mean == Approx(0.2));
  CHECK(m.ttft_overhead.mean == Approx(0.1));
  CHECK(m.e2el_overhead.mean == Approx(0.2));
}

TEST_CASE("the document has vLLM's keys", "[bench][serve][report]") {
  const std::vector<RequestRecord> rows = {completed(0, {{0.25, 1}, {0.5, 1}}, 0.5),
                                           failed("HTTP 429", "rate_limit", "later")};
  RunInfo info{.date = "d", .backend = "tern.v1", .model = "m", .num_prompts = 2};
  info.request_rate = std::numeric_limits<double>::infinity();
  info.slo.ttft_s = 0.3;
  nlohmann::json d = to_json(info, compute_metrics(rows, 0.5, info.slo));
  add_requests(rows, &d);
  for (const char* key : {"date",
                          "backend",
                          "model_id",
                          "num_prompts",
                          "request_rate",
                          "burstiness",
                          "max_concurrency",
                          "duration",
                          "completed",
                          "failed",
                          "total_input_tokens",
                          "total_output_tokens",
                          "request_throughput",
                          "request_goodput",
                          "goodput",
                          "output_throughput",
                          "total_token_throughput",
                          "mean_ttft_ms",
                          "median_ttft_ms",
                          "std_ttft_ms",
                          "p99_ttft_ms",
                          "mean_tpot_ms",
                          "median_tpot_ms",
                          "std_tpot_ms",
                          "p99_tpot_ms",
                          "mean_itl_ms",
                          "median_itl_ms",
                          "std_itl_ms",
                          "p99_itl_ms",
                          "mean_e2el_ms",
                          "p50_e2el_ms",
                          "p90_e2el_ms",
                          "p95_e2el_ms",
                          "p99_e2el_ms",
                          "max_output_tokens_per_s",
                          "max_concurrent_requests",
                          "input_lens",
                          "output_lens",
                          "ttfts",
                          "itls",
                          "errors"})
    CHECK(d.contains(key));
  CHECK(d["request_rate"] == "inf");
  CHECK(d["max_concurrency"].is_null());
  CHECK(d["mean_ttft_ms"] == Approx(250));
  CHECK(d["goodput"] == Approx(2));
  CHECK(d["request_goodput"] == d["goodput"]);
  CHECK(d["output_throughput"] == Approx(4));
  CHECK(d["total_token_throughput"] == Approx(24));
  CHECK_FALSE(d.contains("server_mean_ttft_ms"));
  CHECK(d["ttfts"].size() == 2);
  CHECK(d["itls"][0][0] == Approx(0.25));
  CHECK(d["errors"][0] == "");
  CHECK(d["errors"][1] == "HTTP 429 (rate_limit): later");
  info.slo = {};
  CHECK(to_json(info, compute_metrics(rows, 0.5, {}))["request_goodput"].is_null());
}
