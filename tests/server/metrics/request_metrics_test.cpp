// Counters by closed sets, percentiles by hand, and the sum that must come out.
#include "server/metrics/request_metrics.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/rng.h"
#include "server/metrics/observability.h"
#include "tests/server/metrics/sim_service.h"

using namespace tern;
using namespace tern::metrics;

namespace {

RequestRecord ended(Seconds e2e = Seconds(1)) {
  RequestRecord r;
  r.accepted = true;
  r.finish = FinishReason::kLength;
  r.e2e = e2e;
  return r;
}

RequestRecord refused(Code code, const std::string& reason) {
  RequestRecord r;
  r.code = code;
  r.reason = reason;
  return r;
}

uint64_t count(const RequestTotals& totals, PriorityClass priority, Code code, Finish finish) {
  return totals.ended[size_t(priority)][size_t(code)][size_t(finish)];
}

}  // namespace

TEST_CASE("requests are counted by class, code and finish", "[metrics]") {
  ManualClock clock;
  RequestMetrics metrics(clock);
  metrics.on_request_end(ended());
  RequestRecord bulk = ended();
  bulk.priority = PriorityClass::kBulk;
  bulk.finish = FinishReason::kEos;
  metrics.on_request_end(bulk);
  bulk.finish.reset();  // answers that ended differently
  metrics.on_request_end(bulk);
  bulk.code = Code::kCancelled;
  bulk.cancel_to_end = Seconds(0.004);
  metrics.on_request_end(bulk);
  metrics.on_request_end(refused(Code::kResourceExhausted, "QUEUE_FULL"));
  RequestRecord slow = ended();
  slow.code = Code::kResourceExhausted;
  slow.reason = "SLOW_CONSUMER";
  metrics.on_request_end(slow);

  const RequestTotals totals = metrics.totals();
  CHECK(count(totals, PriorityClass::kDefault, Code::kOk, Finish::kLength) == 1);
  CHECK(count(totals, PriorityClass::kBulk, Code::kOk, Finish::kStopEos) == 1);
  CHECK(count(totals, PriorityClass::kBulk, Code::kOk, Finish::kMixed) == 1);
  CHECK(count(totals, PriorityClass::kBulk, Code::kCancelled, Finish::kFailed) == 1);
  CHECK(count(totals, PriorityClass::kDefault, Code::kResourceExhausted, Finish::kRefused) == 1);
  CHECK(totals.num_slow_consumers == 1);
  CHECK(totals.num_ended() == 5);
  CHECK(totals.num(Outcome::kOk) == 3);
  CHECK(totals.num(Outcome::kCancelled) == 1);
  CHECK(totals.num(Outcome::kFailed) == 1);
  CHECK(totals.num(Outcome::kRefused) == 1);
  CHECK(totals.e2e.count() == 5);  // the cancelled one too, the refused one not
  CHECK(totals.cancel_to_end.count() == 1);
}

TEST_CASE("a reason that nobody knows is other", "[metrics]") {
  ManualClock clock;
  RequestMetrics metrics(clock);
  for (int i = 0; i < 100; ++i)
    metrics.on_request_end(refused(Code::kInvalidArgument, "X" + std::to_string(i) + "\"}\n"));
  metrics.on_request_end(refused(static_cast<Code>(16), "LOADING"));
  const RequestTotals totals = metrics.totals();
  CHECK(totals.refused[reason_index("other")] == 100);
  CHECK(reason_index("other") == kReasons.size() - 1);
  CHECK(totals.refused[reason_index("LOADING")] == 1);
}

TEST_CASE("a missed deadline is counted where it was missed", "[metrics]") {
  RequestRecord queued = ended();
  queued.code = Code::kDeadlineExceeded;
  queued.reason = "QUEUE_TIMEOUT";
  CHECK(deadline_miss(queued) == DeadlineMiss::kQueue);
  queued.reason = "GENERATION_TIMEOUT";
  CHECK(deadline_miss(queued) == DeadlineMiss::kGeneration);
  CHECK(deadline_miss(refused(Code::kResourceExhausted, "DEADLINE_INFEASIBLE")) ==
        DeadlineMiss::kAdmission);
  CHECK(deadline_miss(refused(Code::kDeadlineExceeded, "QUEUE_TIMEOUT")) ==
        DeadlineMiss::kAdmission);
  CHECK_FALSE(deadline_miss(refused(Code::kResourceExhausted, "QUEUE_FULL")));
  CHECK_FALSE(deadline_miss(ended()));
}

TEST_CASE("percentiles are those of the last minute", "[metrics]") {
  ManualClock clock;
  RequestMetrics metrics(clock);
  clock.advance(Seconds(1000));
  metrics.on_request_end(ended(Seconds(9999)));  // before the minute
  clock.advance(Seconds(100));
  for (int i = 100; i >= 1; --i) metrics.on_request_end(ended(Seconds(i)));
  RecentSummary summary = metrics.summary(Seconds(60));
  CHECK(summary.num_requests == 100);
  CHECK(summary.e2e.p50 == 50);
  CHECK(summary.e2e.p95 == 95);
  CHECK(summary.e2e.p99 == 99);
  CHECK(summary.ttft.p50 == 0);  // no request had a token

  for (size_t i = 0; i < RequestMetrics::kMostSamples; ++i) metrics.on_request_end(ended());
  summary = metrics.summary(Seconds(60));
  CHECK(summary.num_requests == RequestMetrics::kMostSamples);
  CHECK(summary.e2e.p99 == 1);
  CHECK(metrics.recent_ends().size() == RequestMetrics::kMostEnds);
}

TEST_CASE("the last minute's ends are told by outcome, its refusals by reason", "[metrics]") {
  ManualClock clock;
  clock.advance(Seconds(1000));
  RequestMetrics metrics(clock);
  RequestRecord r = ended();
  r.code = Code::kInternal;
  metrics.on_request_end(r);
  metrics.on_request_end(refused(Code::kResourceExhausted, "QUEUE_FULL"));
  clock.advance(Seconds(100));
  metrics.on_request_end(r);
  r.code = Code::kDeadlineExceeded;
  metrics.on_request_end(r);
  r.code = Code::kCancelled;
  metrics.on_request_end(r);
  r = ended();
  r.prompt_tokens = 100;
  r.cached_tokens = 64;
  metrics.on_request_end(r);
  // Refusals, however many, push no ends out.
  for (size_t i = 0; i < RequestMetrics::kMostSamples + 9; ++i)
    metrics.on_request_end(refused(Code::kResourceExhausted, "QUEUE_FULL"));
  metrics.on_request_end(refused(Code::kNotFound, "MODEL_NOT_FOUND"));
  const RecentSummary summary = metrics.summary(Seconds(60));
  CHECK(summary.num_requests == 4);
  CHECK(summary.num_failed == 2);
  CHECK(summary.num_cancelled == 1);
  CHECK(summary.prompt_tokens == 100);
  CHECK(summary.cached_tokens == 64);
  CHECK(summary.refused[reason_index("QUEUE_FULL")] == RequestMetrics::kMostSamples - 1);
  CHECK(summary.refused[reason_index("MODEL_NOT_FOUND")] == 1);
  CHECK(metrics.totals().num(Outcome::kFailed) == 3);
}

TEST_CASE("a call reports its request once, with all of its answers", "[metrics]") {
  const auto engine = start_sim();
  ServingState state{RequestLimits{}};
  Observability observability({}, state);
  state.set_engine(*engine);
  v1::GenerateRequest request = sim_request("hello", 7);
  request.mutable_sampling()->set_n(3);
  request.mutable_sampling()->mutable_stopping()->set_ignore_eos(true);
  request.mutable_scheduling()->set_priority(v1::PRIORITY_CLASS_INTERACTIVE);
  const auto client = std::make_shared<CallClient>(state, Transport::kHttp);
  REQUIRE_FALSE(CallClient::submit(client, request));
  REQUIRE_FALSE(client->wait());
  const auto recent = observability.requests().recent_ends();
  REQUIRE(recent.size() == 1);
  const RequestRecord& r = recent[0].record;
  CHECK(r.request_id == client->call().request().accepted.request_id());
  CHECK(r.accepted);
  CHECK(r.transport == Transport::kHttp);
  CHECK(r.priority == PriorityClass::kInteractive);
  CHECK(r.finish == FinishReason::kLength);
  CHECK(r.n == 3);
  CHECK(r.max_tokens == 7);
  CHECK(r.prompt_tokens == 5);
  CHECK(r.completion_tokens == 21);
  REQUIRE(r.ttft);
  REQUIRE(r.tpot);
  CHECK(r.queue <= *r.ttft);
  CHECK(*r.ttft + 6 * *r.tpot <= r.e2e + Seconds(1e-6));
}

TEST_CASE("requests refused before the engine are reported", "[metrics]") {
  ServingState state{RequestLimits{}};
  Observability observability({}, state);
  const auto submit = [&](const v1::GenerateRequest& request) {
    return CallClient::submit(std::make_shared<CallClient>(state), request)->reason;
  };
  CHECK(submit(sim_request("x", 1)) == "LOADING");
  const auto engine = start_sim();
  state.set_engine(*engine);
  v1::GenerateRequest bad = sim_request("x", 1);
  bad.mutable_sampling()->set_n(1000000);
  CHECK(submit(bad) == "PARAM_OUT_OF_RANGE");
  Call(state, Transport::kGrpc)
      .refuse({.code = Code::kInvalidArgument, .reason = "MALFORMED_MESSAGE"});
  const RequestTotals totals = observability.requests().totals();
  CHECK(totals.num_ended() == 0);
  CHECK(totals.num(Outcome::kRefused) == 3);
  for (const char* reason : {"LOADING", "PARAM_OUT_OF_RANGE", "MALFORMED_MESSAGE"})
    CHECK(totals.refused[reason_index(reason)] == 1);
}

// Accepted = ended + live: at every moment no more has ended than was accepted, and in the end all.
TEST_CASE("what was accepted has ended or lives, whatever clients do", "[metrics]") {
  const auto engine = start_sim(4, 12);
  ServingState state{RequestLimits{}};
  Observability observability({}, state);
  state.set_engine(*engine);
  constexpr int kThreads = 6, kRequests = 150;
  std::atomic<int> num_refused{0}, num_running{kThreads};
  std::vector<std::thread> clients;
  for (int t = 0; t < kThreads; ++t)
    clients.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        const uint64_t dice = random_bits(7, RngStream::kSimulation, uint64_t(t * kRequests + i));
        v1::GenerateRequest request = sim_request("prompt", 1 + dice % 12);
        request.mutable_scheduling()->set_priority(v1::PriorityClass(dice >> 8 & 3));
        request.mutable_sampling()->set_n(1 + (dice >> 16) % 3);
        if (dice % 10 == 0) request.set_request_id("the same for many");
        std::optional<Seconds> timeout;
        if (dice % 7 == 0) timeout = Seconds(1e-3 * double(dice >> 24 & 15));
        const auto client = std::make_shared<CallClient>(state);
        if (CallClient::submit(client, request, timeout)) {
          ++num_refused;
          continue;
        }
        if (dice % 5 == 0) client->call().cancel();
        (void)client->wait();
      }
      --num_running;
    });
  int num_violations = 0;
  while (num_running > 0) {
    const uint64_t num_ended = observability.requests().totals().num_ended();
    const EngineStats stats = engine->stats();
    num_violations += num_ended + uint64_t(stats.num_live_requests) > stats.num_requests_submitted;
    std::this_thread::yield();
  }
  for (std::thread& client : clients) client.join();
  CHECK(num_violations == 0);
  const RequestTotals totals = observability.requests().totals();
  const EngineStats stats = engine->stats();
  CHECK(stats.num_live_requests == 0);
  CHECK(totals.num_ended() == stats.num_requests_submitted);
  CHECK(totals.num(Outcome::kRefused) == uint64_t(num_refused));
  CHECK(totals.num_ended() + totals.num(Outcome::kRefused) == kThreads * kRequests);
  CHECK(totals.num(Outcome::kRefused) > 0);
  CHECK(totals.e2e.count() == totals.num_ended());
  uint64_t by_reason = 0;
  for (const uint64_t refusals : totals.refused) by_reason += refusals;
  CHECK(by_reason == totals.num(Outcome::kRefused));
}
