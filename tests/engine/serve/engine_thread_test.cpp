// The engine's facade with its thread, on the simulated model: admission, cancellation, the ends.
#include "engine/serve/engine_thread.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>

#include "engine/serve/generate_all.h"
#include "engine/step/sim_engine.h"

using namespace tern;

namespace {

class WaitingSink final : public TokenSink {
 public:
  void on_event(TokenEvent event) override {
    const std::lock_guard lock(mutex_);
    num_tokens_ += event.token_ids.size();
    token_ids_.insert(token_ids_.end(), event.token_ids.begin(), event.token_ids.end());
    num_ends_ += event.finished.has_value();
    if (event.finished) finished_ = event.finished;
    changed_.notify_all();
  }
  void wait_for_tokens(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_tokens_ >= count || finished_; });
  }
  FinishedEvent wait_for_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_.has_value(); });
    return *finished_;
  }
  std::vector<int32_t> token_ids() {
    const std::lock_guard lock(mutex_);
    return token_ids_;
  }
  int num_ends() {
    const std::lock_guard lock(mutex_);
    return num_ends_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t num_tokens_ = 0;
  std::vector<int32_t> token_ids_;
  int num_ends_ = 0;
  std::optional<FinishedEvent> finished_;
};

const SteadyClock kClock;

std::unique_ptr<Engine> start(QueueLimits limits = {}, int32_t max_num_seqs = 4,
                              Seconds step = Seconds(0)) {
  SchedulerConfig config;
  config.max_num_seqs = max_num_seqs;
  config.max_model_len = 1024;
  config.num_blocks = 512;
  auto runner = std::make_unique<SimRunner>(SimStepCost{}, max_num_seqs, [step](Seconds) {
    if (step > Seconds(0)) std::this_thread::sleep_for(to_duration(step));
  });
  auto engine =
      EngineThread::start(make_sim_assets(1024), config, limits, kClock, std::move(runner));
  REQUIRE(engine.ok());
  return *std::move(engine);
}

Request endless(const std::string& id, size_t prompt_tokens = 10) {
  Request r;
  r.request_id = id;
  r.prompt_token_ids.assign(prompt_tokens, 'x');
  r.sampling.temperature = 0;
  r.sampling.ignore_eos = true;
  return r;
}

}  // namespace

TEST_CASE("requests are checked before they are queued", "[runtime][engine]") {
  const auto engine = start();
  const auto refused = [&](auto change) {
    Request r = endless("r");
    change(r);
    const auto sink = std::make_shared<WaitingSink>();
    const Result<uint64_t> id = engine->submit(std::move(r), sink);
    REQUIRE(!id.ok());
    CHECK(sink->num_ends() == 0);
    return id.status();
  };
  CHECK(refused([](Request& r) { r.prompt_token_ids.clear(); }).code() == Code::kInvalidArgument);
  CHECK(refused([](Request& r) { r.prompt_token_ids[3] = 257; }).message() ==
        "prompt token 3: id 257 is outside the vocabulary of 257");
  CHECK(refused([](Request& r) { r.prompt_token_ids[0] = -1; }).code() == Code::kInvalidArgument);
  const Status too_long = refused([](Request& r) { r.sampling.max_tokens = 1015; });
  CHECK(too_long.code() == Code::kOutOfRange);
  CHECK(too_long.message() ==
        "prompt of 10 tokens + max_tokens 1015 exceeds the context of 1024 tokens");
  CHECK(refused([](Request& r) { r.prompt_token_ids.assign(1024, 'x'); }).code() ==
        Code::kOutOfRange);
  CHECK(refused([](Request& r) { r.sampling.top_p = 1.5f; }).message().find("top_p") == 0);
  CHECK(refused([](Request& r) { r.sampling.n = 2; }).message().find("n: ") == 0);  // greedy
  CHECK(refused([](Request& r) {
          r.sampling.logit_bias = {{257, 1}};
        }).message() == "logit_bias: token id 257 is outside the vocabulary of 257");
  CHECK(
      refused([](Request& r) { r.sampling.stop_token_ids = {-1}; }).message().find("stop_token") ==
      0);
  CHECK(refused([](Request& r) {
          r.sampling.bad_words = {"ok", "\xFF"};
        })
            .message()
            .find("bad_words: ") == 0);
  CHECK(refused([](Request& r) { r.sampling.bad_words = {""}; }).message().find("bad_words: ") ==
        0);
  CHECK(refused([](Request& r) { r.sampling.min_tokens = 1015; }).message() ==
        "min_tokens: at most 1014, is 1015");  // of what the context leaves
  CHECK(engine->stats().num_requests_submitted == 0);
}

TEST_CASE("an unset max_tokens is what the context leaves", "[runtime][engine]") {
  const auto engine = start();
  const auto answers = generate_all(*engine, {endless("a", 1000)}, {});
  REQUIRE(answers.ok());
  CHECK((*answers)[0].finished.usage.completion_tokens == 24);
  CHECK((*answers)[0].finished.reason == FinishReason::kLength);
}

TEST_CASE("bad words are spelt with and without a space in front", "[runtime][engine][EC-28]") {
  const auto engine = start();
  const auto text_of = [&](const std::vector<std::string>& bad_words) {
    Request r;
    r.prompt_token_ids = {'p'};
    r.sampling.temperature = 0;
    r.sampling.max_tokens = 300;
    r.sampling.ignore_eos = true;
    r.sampling.bad_words = bad_words;
    const auto answers = generate_all(*engine, {r}, {});
    REQUIRE(answers.ok());
    return (*answers)[0].text;
  };
  const std::string free = text_of({});
  const size_t space = free.find(' ', 20);
  REQUIRE(space != std::string::npos);
  const std::string inner = free.substr(2, 2), after_space = free.substr(space + 1, 2);
  REQUIRE(inner.find(' ') == std::string::npos);
  CHECK(text_of({inner}).find(inner) == std::string::npos);
  CHECK(text_of({" " + inner}).find(inner) == std::string::npos);
  CHECK(text_of({after_space}).find(after_space) == std::string::npos);
  CHECK(text_of({inner}).substr(0, 3) == free.substr(0, 3));
  CHECK(text_of({" "}).find(' ') == std::string::npos);
}

TEST_CASE("the answers of one request count as one", "[runtime][engine]") {
  const auto engine = start({}, 4, Seconds(1e-3));
  Request r = endless("many");
  r.sampling.temperature = 1;
  r.sampling.n = 6;
  r.sampling.max_tokens = 20;
  const auto sink = std::make_shared<WaitingSink>();
  const Result<uint64_t> id = engine->submit(r, sink);
  REQUIRE(id.ok());
  CHECK(engine->stats().num_requests_submitted == 1);
  CHECK(engine->submit(r, sink).status().code() == Code::kAlreadyExists);
  Request other = endless("other");
  other.sampling.max_tokens = 3;
  const auto answers = generate_all(*engine, {other}, {});  // ids do not collide
  REQUIRE(answers.ok());
  while (sink->num_ends() < 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  engine->shutdown();
  CHECK(sink->num_ends() == 6);
  CHECK(engine->stats().num_requests_finished == 2);
  CHECK(engine->stats().num_generated_tokens == 6 * 20 + 3);
}

TEST_CASE("a full queue refuses at once, by requests and by tokens", "[runtime][engine]") {
  const auto engine = start({.max_queued_requests = 2, .max_queued_tokens = 150}, 1, Seconds(1e-3));
  const auto running = std::make_shared<WaitingSink>();
  REQUIRE(engine->submit(endless("running"), running).ok());
  running->wait_for_tokens(1);
  const auto sink = std::make_shared<WaitingSink>();
  REQUIRE(engine->submit(endless("q1", 100), sink).ok());
  const Status tokens = engine->submit(endless("q2", 100), sink).status();
  CHECK(tokens.code() == Code::kResourceExhausted);
  CHECK(tokens.message().find("150") != std::string::npos);
  REQUIRE(engine->submit(endless("q2", 50), sink).ok());
  const Status requests = engine->submit(endless("q3", 1), sink).status();
  CHECK(requests.code() == Code::kResourceExhausted);
  CHECK(requests.message().find("limit is 2") != std::string::npos);
  CHECK(engine->submit(endless("running"), sink).status().code() != Code::kOk);
  engine->shutdown();
  CHECK(running->wait_for_end().status.code() == Code::kUnavailable);
}

TEST_CASE("a live request_id is refused a second time, an ended one is not", "[runtime][engine]") {
  const auto engine = start({}, 4, Seconds(1e-3));
  const auto sink = std::make_shared<WaitingSink>();
  const Result<uint64_t> id = engine->submit(endless("same"), sink);
  REQUIRE(id.ok());
  CHECK(engine->submit(endless("same"), sink).status().code() == Code::kAlreadyExists);
  engine->cancel(*id);
  CHECK(sink->wait_for_end().status.code() == Code::kCancelled);
  Request again = endless("same");
  again.sampling.max_tokens = 3;
  CHECK(generate_all(*engine, {again}, {}).ok());
}

TEST_CASE("every accepted request ends exactly once, whoever ends it",
          "[runtime][engine][EC-1][EC-3]") {
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  {
    const auto engine = start({}, 4, Seconds(2e-4));
    std::vector<uint64_t> ids;
    for (int i = 0; i < 40; ++i) {
      sinks.push_back(std::make_shared<WaitingSink>());
      ids.push_back(*engine->submit(endless(std::to_string(i)), sinks.back()));
    }
    sinks[0]->wait_for_tokens(2);
    for (size_t i = 0; i < ids.size(); i += 3) engine->cancel(ids[i]);
    for (size_t i = 0; i < ids.size(); i += 6) engine->cancel(ids[i]);  // twice
    engine->cancel(123456);
    for (size_t i = 0; i < ids.size(); i += 3)
      CHECK(sinks[i]->wait_for_end().status.code() == Code::kCancelled);
    engine->shutdown();
    const EngineStats stats = engine->stats();
    CHECK(stats.num_requests_submitted == 40);
    CHECK(stats.num_requests_finished == 40);
    CHECK(stats.num_live_requests == 0);
    CHECK(stats.scheduler.num_used_blocks == 0);
    CHECK(engine->submit(endless("late"), sinks[0]).status().code() == Code::kUnavailable);
    engine->shutdown();  // idempotent
  }
  for (const auto& sink : sinks) CHECK(sink->num_ends() == 1);
}

TEST_CASE("draining lets live requests finish and refuses new ones", "[runtime][engine]") {
  const auto engine = start({}, 4, Seconds(1e-3));
  const auto sink = std::make_shared<WaitingSink>();
  Request r = endless("last");
  r.sampling.max_tokens = 50;
  REQUIRE(engine->submit(r, sink).ok());
  engine->start_draining();
  CHECK(engine->submit(endless("new"), sink).status().code() == Code::kUnavailable);
  const FinishedEvent end = sink->wait_for_end();
  CHECK(end.status.ok());
  CHECK(end.usage.completion_tokens == 50);
}

TEST_CASE("abort answers when the scheduler has let go, and knows what had ended",
          "[engine][EC-8]") {
  const auto engine = start({}, 2, Seconds(1e-3));
  const auto running = std::make_shared<WaitingSink>(), queued = std::make_shared<WaitingSink>();
  REQUIRE(engine->submit(endless("running"), running).ok());
  REQUIRE(engine->submit(endless("too"), running).ok());
  running->wait_for_tokens(2);
  REQUIRE(engine->submit(endless("queued"), queued).ok());
  std::promise<std::pair<std::vector<AbortOutcome>, EngineStats>> answered;
  engine->abort({"running", "nobody", "queued", "too", "running"}, "test",
                [&](std::vector<AbortOutcome> outcomes) {
                  answered.set_value({std::move(outcomes), engine->stats()});
                });
  const auto [outcomes, stats] = answered.get_future().get();
  using enum AbortOutcome;
  CHECK(outcomes == std::vector{kAborted, kUnknown, kAborted, kAborted, kFinished});
  CHECK(stats.scheduler.num_used_blocks == 0);
  CHECK(stats.num_live_requests == 0);
  const FinishedEvent end = queued->wait_for_end();
  CHECK(end.status.code() == Code::kCancelled);
  CHECK(end.status.message() == "aborted: test");
  REQUIRE(end.status.detail());
  CHECK(end.status.detail()->reason == "ABORTED");
  engine->shutdown();
  bool answered_late = false;  // not by the thread any more, but answered
  engine->abort({"running"}, "", [&](std::vector<AbortOutcome> late) {
    answered_late = late == std::vector{kFinished};
  });
  CHECK(answered_late);
}

TEST_CASE("a paused request leaves the batch and goes on where it was", "[engine][EC-5]") {
  const auto engine = start({}, 1, Seconds(1e-3));
  const auto slow = std::make_shared<WaitingSink>();
  Request r = endless("slow");
  r.sampling.max_tokens = 200;
  const std::vector<GeneratedAnswer> alone = *generate_all(*engine, {r}, {});
  const Result<uint64_t> id = engine->submit(r, slow);
  REQUIRE(id.ok());
  slow->wait_for_tokens(3);
  engine->pause(*id, Seconds(1000));
  engine->pause(*id, Seconds(0));  // is paused already
  engine->pause(999, Seconds(0));
  Request other = endless("other");
  other.sampling.max_tokens = 20;
  REQUIRE(generate_all(*engine, {other}, {}).ok());  // the only place in the batch is free
  CHECK(slow->num_ends() == 0);
  CHECK(engine->stats().scheduler.num_used_blocks == 0);
  CHECK(engine->stats().silent < Seconds(1));  // nothing to compute, but the engine lives
  engine->resume(*id);
  CHECK(slow->wait_for_end().status.ok());
  CHECK(slow->token_ids() == alone.at(0).token_ids);
  CHECK(slow->wait_for_end().usage.cached_tokens == 0);  // of the first admission

  const auto gone = std::make_shared<WaitingSink>();
  r.request_id = "gone";
  r.sampling.max_tokens = 0;
  const Result<uint64_t> gone_id = engine->submit(r, gone);
  gone->wait_for_tokens(3);
  engine->pause(*gone_id, Seconds(0.02));
  const FinishedEvent end = gone->wait_for_end();
  CHECK(end.status.code() == Code::kResourceExhausted);
  REQUIRE(end.status.detail());
  CHECK(end.status.detail()->reason == "SLOW_CONSUMER");
  CHECK(engine->stats().num_live_requests == 0);
}

TEST_CASE("a full queue makes room for a higher class", "[engine]") {
  const auto engine = start({.max_queued_requests = 1}, 1, Seconds(1e-3));
  const auto running = std::make_shared<WaitingSink>(), bulk = std::make_shared<WaitingSink>(),
             urgent = std::make_shared<WaitingSink>();
  REQUIRE(engine->submit(endless("running"), running).ok());
  running->wait_for_tokens(1);
  Request low = endless("bulk");
  low.priority = PriorityClass::kBulk;
  REQUIRE(engine->submit(low, bulk).ok());
  Request high = endless("urgent");
  high.priority = PriorityClass::kInteractive;
  REQUIRE(engine->submit(high, urgent).ok());
  const FinishedEvent end = bulk->wait_for_end();
  CHECK(end.status.code() == Code::kUnavailable);
  REQUIRE(end.status.detail());
  CHECK(end.status.detail()->reason == "PREEMPTED_SHED");
  CHECK(end.status.detail()->retry_after == Seconds(1));
  CHECK(bulk->num_ends() == 1);
}

TEST_CASE("an engine that is stuck shows it, one that is idle does not", "[engine][EC-8]") {
  SchedulerConfig config;
  config.max_num_seqs = 2;
  config.max_model_len = 1024;
  config.num_blocks = 512;
  ManualClock clock;
  std::mutex stuck;
  std::promise<void> entered;
  bool first = true;
  auto runner = std::make_unique<SimRunner>(SimStepCost{}, 2, [&](Seconds) {
    if (std::exchange(first, false)) entered.set_value();
    const std::lock_guard lock(stuck);
  });
  const auto engine =
      *EngineThread::start(make_sim_assets(1024), config, {}, clock, std::move(runner));
  clock.advance(Seconds(1000));
  CHECK(engine->stats().silent == Seconds(0));  // nothing to do
  CHECK(engine->stats().last_step_age == Seconds(1000));

  stuck.lock();
  const auto sink = std::make_shared<WaitingSink>();
  Request r = endless("r");
  r.sampling.max_tokens = 20;
  REQUIRE(engine->submit(r, sink).ok());
  REQUIRE(engine->submit(endless("behind"), sink).ok());
  CHECK(engine->stats().silent == Seconds(0));  // since the work came, not since the last step
  entered.get_future().wait();
  clock.advance(Seconds(50));
  CHECK(engine->stats().silent == Seconds(50));
  const std::vector<RequestState> live = engine->live_requests();  // though a step hangs
  REQUIRE(live.size() == 2);
  CHECK(live[0].request_id == "r");
  CHECK(!live[0].is_queued);
  CHECK(live[0].computed_tokens == 10);
  CHECK(live[0].age == Seconds(50));
  stuck.unlock();
  CHECK(sink->wait_for_end().status.ok());
  engine->shutdown();
  CHECK(engine->live_requests().empty());
  CHECK(engine->stats().silent == Seconds(0));
}

TEST_CASE("live requests tell how far they are", "[engine]") {
  const auto engine = start({}, 4, Seconds(1e-3));
  Request r = endless("r");
  r.peer = "ipv4:10.0.0.1:5";
  r.priority = PriorityClass::kBulk;
  const auto sink = std::make_shared<WaitingSink>();
  REQUIRE(engine->submit(r, sink).ok());
  sink->wait_for_tokens(3);
  const std::vector<RequestState> live = engine->live_requests();
  REQUIRE(live.size() == 1);
  CHECK(live[0].peer == r.peer);
  CHECK(live[0].priority == PriorityClass::kBulk);
  CHECK(live[0].completion_tokens >= 2);
  CHECK(live[0].computed_tokens >= 12);
  REQUIRE(live[0].ttft.has_value());
  CHECK(*live[0].ttft > Seconds(0));
  CHECK(*live[0].ttft <= live[0].age);
  engine->shutdown();
}

TEST_CASE("a live request that gave its memory to others says so until it is back", "[engine]") {
  SchedulerConfig config;
  config.max_num_seqs = 4;
  config.max_model_len = 1024;
  config.block_size = 16;
  config.num_blocks = 80;  // one of the two at its longest, and a little
  // Looked at within every step, as a victim may be back one step later. The first step waits for
  // both requests.
  std::atomic<const Engine*> watched = nullptr;
  std::atomic<bool> was_seen = false;
  auto runner = std::make_unique<SimRunner>(SimStepCost{}, 4, [&](Seconds) {
    while (watched == nullptr) std::this_thread::yield();
    for (const RequestState& state : watched.load()->live_requests())
      if (state.is_preempted) was_seen = true;
  });
  const auto engine =
      *EngineThread::start(make_sim_assets(1024), config, {}, kClock, std::move(runner));
  const auto first = std::make_shared<WaitingSink>(), second = std::make_shared<WaitingSink>();
  CHECK(engine->submit(endless("first"), first).ok());
  CHECK(engine->submit(endless("second"), second).ok());
  watched = engine.get();
  CHECK(first->wait_for_end().status.ok());
  CHECK(second->wait_for_end().status.ok());  // it came back
  CHECK(was_seen);
  CHECK(engine->stats().scheduler.num_preemptions > 0);
}

TEST_CASE("flushing the prefix cache forgets what nobody uses", "[engine]") {
  const auto engine = start();
  Request r = endless("r", 64);
  r.sampling.max_tokens = 3;
  REQUIRE(generate_all(*engine, {r}, {}).ok());
  const int32_t cached = engine->stats().scheduler.num_cached_blocks;
  CHECK(cached == 4);
  std::promise<int32_t> flushed;
  engine->flush_prefix_cache([&](int32_t num_blocks) { flushed.set_value(num_blocks); });
  CHECK(flushed.get_future().get() == cached);
  CHECK(engine->stats().scheduler.num_cached_blocks == 0);
}
