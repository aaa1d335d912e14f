// The driver against a server whose times are known exactly: it is made of a thread and a queue.
#include "bench/serve/load_driver.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <queue>
#include <set>
#include <thread>

#include "bench/support/arrivals.h"
#include "bench/serve/metrics.h"

using namespace tern;
using namespace tern::bench;

namespace {

using std::chrono::steady_clock;

// Answers each request with max_tokens chunks: the first `ttft` after its sending, the others `itl`
// after one another, the end with the last. The times that it tells are these, to the nanosecond,
// however late its thread comes to tell them.
class KnownServer final : public Transport {
 public:
  struct Times {
    Seconds ttft, itl;
  };
  explicit KnownServer(std::function<Times(uint64_t)> times)
      : times_(std::move(times)), thread_([this](std::stop_token stop) { run(stop); }) {}

  Result<ServerFacts> connect(const std::function<bool()>&) override { return ServerFacts{}; }

  void send(const PlannedRequest& request, StreamSink& sink) override {
    const TimePoint at = steady_clock::now();
    const Times times = times_(request.seed);
    const std::lock_guard lock(mutex_);
    live_.insert(&sink);
    most_live_ = std::max(most_live_, live_.size());
    for (int32_t i = 0; i < request.max_tokens; ++i)
      events_.push({at + to_duration(times.ttft + times.itl * i), number_++, &sink,
                    i + 1 == request.max_tokens});
    wake_.notify_one();
  }

  void cancel(StreamSink& sink) override {
    {
      const std::lock_guard lock(mutex_);
      if (live_.erase(&sink) == 0) return;
    }
    sink.on_end(steady_clock::now(), {.code = "CANCELLED"});
  }

  std::string name() const override { return "known"; }
  std::string endpoint() const override { return ""; }

  size_t most_live() const { return most_live_; }

 private:
  struct Event {
    TimePoint at;
    uint64_t number;
    StreamSink* sink;
    bool is_last;
    bool operator>(const Event& o) const { return std::tie(at, number) > std::tie(o.at, o.number); }
  };

  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      if (events_.empty() || events_.top().at > steady_clock::now()) {
        TimePoint until = steady_clock::now() + std::chrono::milliseconds(5);
        if (!events_.empty()) until = std::min(until, events_.top().at);
        wake_.wait_until(lock, until);
        continue;
      }
      const Event event = events_.top();
      events_.pop();
      if (!live_.contains(event.sink)) continue;
      if (event.is_last) live_.erase(event.sink);
      lock.unlock();
      event.sink->on_tokens(event.at, 1);
      if (event.is_last) event.sink->on_end(event.at, {});
      lock.lock();
    }
  }

  const std::function<Times(uint64_t)> times_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::set<StreamSink*> live_;
  size_t most_live_ = 0;
  uint64_t number_ = 0;
  std::jthread thread_;  // last: it uses the rest
};

std::function<PlannedRequest(uint64_t)> tokens(int32_t count) {
  return
      [count](uint64_t i) { return PlannedRequest{.text = "x", .max_tokens = count, .seed = i}; };
}

}  // namespace

TEST_CASE("at 2,000 streams a second the latencies are the server's, within 2 %",
          "[bench][serve][driver]") {
  // A different truth for every request: TTFT 20 to 39 ms, gaps 5 to 11 ms.
  const auto times = [](uint64_t i) {
    return KnownServer::Times{Seconds((20 + double(i % 20)) * 1e-3),
                              Seconds((5 + double(i % 7)) * 1e-3)};
  };
  KnownServer server(times);
  constexpr uint64_t kCount = 3000;
  const LoadPlan plan{.arrivals = draw_arrivals(kCount, 2000, 1, 5), .request = tokens(4)};
  const LoadResult result = run_load(plan, server, {});
  REQUIRE(result.records.size() == kCount);
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.completed == kCount);

  double ttft = 0, itl = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const RequestRecord& r = result.records[i];
    const double expected_ttft = times(i).ttft.count(), expected_itl = times(i).itl.count();
    ttft += expected_ttft / double(kCount);
    itl += expected_itl / double(kCount);
    REQUIRE(r.chunks.size() == 4);
    // Sent late is counted, and told.
    CHECK(r.begin_s == r.scheduled_s);
    CHECK(r.scheduled_s == plan.arrivals[i]);
    CHECK(r.sent_s >= r.scheduled_s);
    for (int k = 1; k < 4; ++k)
      CHECK(r.chunks[k].at_s - r.chunks[k - 1].at_s == Approx(expected_itl).epsilon(1e-6));
    CHECK(r.end_s == r.chunks[3].at_s);
  }
  CHECK(m.itl.mean == Approx(itl).epsilon(1e-6));
  CHECK(m.tpot.mean == Approx(itl).epsilon(1e-6));
  CHECK(m.ttft.mean - m.send_delay.mean == Approx(ttft).epsilon(0.02));
  CHECK(result.duration_s >= plan.arrivals.back());
}

TEST_CASE("a client that is late does not hide it", "[bench][serve][driver]") {
  KnownServer server([](uint64_t) { return KnownServer::Times{Seconds(0.001), Seconds(0)}; });
  // Making a request takes ten times as long as the gap between two.
  const LoadPlan plan{.arrivals = std::vector<double>(20, 0.001), .request = [](uint64_t) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(10));
                        return PlannedRequest{.text = "x", .max_tokens = 1};
                      }};
  const LoadResult result = run_load(plan, server, {});
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.send_delay.max >= 0.19);
  CHECK(m.ttft.mean >= m.send_delay.mean + 0.001);
}

TEST_CASE("a closed loop keeps its concurrency", "[bench][serve][driver]") {
  KnownServer server([](uint64_t) { return KnownServer::Times{Seconds(0.002), Seconds(0.001)}; });
  const LoadPlan plan{.num_requests = 200, .max_concurrency = 7, .request = tokens(2)};
  const LoadResult result = run_load(plan, server, {});
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.completed == 200);
  CHECK(server.most_live() == 7);
  CHECK_FALSE(plan.counts_from_schedule());
  for (const RequestRecord& r : result.records) CHECK(r.begin_s == r.sent_s);
}

TEST_CASE("a cap holds back an open loop, and the delay is told", "[bench][serve][driver]") {
  KnownServer server([](uint64_t) { return KnownServer::Times{Seconds(0.01), Seconds(0)}; });
  const LoadPlan plan{
      .arrivals = std::vector<double>(20, 0), .max_concurrency = 2, .request = tokens(1)};
  const LoadResult result = run_load(plan, server, {});
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(server.most_live() == 2);
  CHECK(m.send_delay.max > 0.08);
  CHECK(m.ttft.mean < m.send_delay.max);  // from the sending
}

TEST_CASE("no request is sent after the duration", "[bench][serve][driver]") {
  KnownServer server([](uint64_t) { return KnownServer::Times{Seconds(0.001), Seconds(0)}; });
  const LoadResult result = run_load({.num_requests = std::numeric_limits<uint64_t>::max(),
                                      .max_concurrency = 3,
                                      .send_for_s = 0.1,
                                      .request = tokens(1)},
                                     server, {});
  CHECK(result.records.size() > 3);
  CHECK_FALSE(result.interrupted);
  for (const RequestRecord& r : result.records) {
    CHECK(r.sent_s <= 0.1);
    CHECK(r.outcome == Outcome::kCompleted);
  }
}

TEST_CASE("the client hangs up where it is told to", "[bench][serve][driver]") {
  KnownServer server([](uint64_t i) {
    return KnownServer::Times{Seconds(i % 2 ? 60.0 : 0.001), Seconds(0)};
  });
  const LoadResult result =
      run_load({.num_requests = 40,
                .max_concurrency = 40,
                .request =
                    [](uint64_t i) {
                      PlannedRequest r{.text = "x", .max_tokens = 1, .seed = i};
                      r.cancel_after_s = 0.05;
                      return r;
                    }},
               server, {});
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.cancelled == 20);
  CHECK(m.completed == 20);
  for (const RequestRecord& r : result.records)
    if (r.outcome == Outcome::kCancelled) CHECK(r.end_s - r.sent_s >= 0.05);
}

TEST_CASE("an interrupt ends what is live and keeps what has ended", "[bench][serve][driver]") {
  KnownServer server([](uint64_t i) {
    return KnownServer::Times{Seconds(i < 5 ? 0.001 : 60.0), Seconds(0)};
  });
  std::atomic<bool> stop = false;
  LoadHooks hooks{
      .stop = [&] { return stop.load(); },
      .on_progress = [&](const LoadProgress& p) { stop = stop || p.num_completed == 5; }};
  const LoadResult result =
      run_load({.num_requests = 1000, .max_concurrency = 8, .request = tokens(1)}, server, hooks);
  CHECK(result.interrupted);
  CHECK_FALSE(result.has_abandoned);
  const Metrics m = compute_metrics(result.records, result.duration_s, {});
  CHECK(m.completed == 5);
  CHECK(m.cancelled == 8);
}
