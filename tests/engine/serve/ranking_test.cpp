// A ranker in a running engine: who goes first by it, how well it ranks, and another in its place.
#include "engine/serve/ranking.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <future>
#include <thread>

#include "engine/serve/engine_thread.h"
#include "engine/step/sim_engine.h"

using namespace tern;

namespace {

/// The prompt is the number that it says.
class Literal final : public Ranker {
 public:
  explicit Literal(uint64_t version) : version_(version) {}
  std::string_view name() const override { return "literal"; }
  uint64_t version() const override { return version_; }
  float score(const RankerInput& input) const override {
    return std::stof(std::string(input.prompt));
  }
  double expected_output_tokens(float score) const override { return 1000 + score; }

 private:
  const uint64_t version_;
};

/// The greater of two numbers is the shorter answer.
class Other final : public Ranker {
 public:
  explicit Other(uint64_t version) : version_(version) {}
  std::string_view name() const override { return "other"; }
  uint64_t version() const override { return version_; }
  float score(const RankerInput& input) const override {
    return -std::stof(std::string(input.prompt));
  }
  double expected_output_tokens(float score) const override { return score / 100; }

 private:
  const uint64_t version_;
};

Request ranked(const std::string& number) {
  Request request;
  request.ranked_prompt = number;
  return request;
}

TEST_CASE("what is unknown has no score", "[ranking]") {
  Ranking ranking;
  CHECK(ranking.version() == 0);
  CHECK(std::isnan(ranking.score(ranked("7")).expected_tokens));
  CHECK(ranking.stats().name.empty());
  ranking.use(std::make_shared<Literal>(5));
  CHECK(ranking.score(ranked("7")).expected_tokens == 1007);
  CHECK(ranking.score(ranked("7")).ranker_version == 5);
  CHECK(std::isnan(ranking.score(ranked("")).expected_tokens));
}

TEST_CASE("tau is of the last answers of this version", "[ranking]") {
  Ranking ranking;
  ranking.use(std::make_shared<Literal>(5));
  for (int i = 0; i < 40; ++i) {
    ranking.observe(4, i, i);              // of another version
    ranking.observe(5, kUnknown, 40 - i);  // was not scored
  }
  CHECK(ranking.stats().num_answers == 0);
  for (int i = 0; i < 29; ++i) ranking.observe(5, i, i);
  CHECK_FALSE(ranking.stats().tau);
  ranking.observe(5, 30, 30);
  CHECK(ranking.stats().tau == 1.0);
  for (int i = 0; i < 512; ++i) ranking.observe(5, i, -i);  // all that is kept
  CHECK(*ranking.stats().tau == Approx(-1));
  CHECK(ranking.stats().num_answers == 542);
  CHECK_FALSE(ranking.use(std::make_shared<Literal>(5)));  // read anew, and still the same
  CHECK(ranking.stats().num_answers == 542);
  CHECK(ranking.use(std::make_shared<Literal>(6)));
  CHECK(ranking.stats().num_answers == 0);
  CHECK_FALSE(ranking.stats().tau);
}

class EndSink final : public TokenSink {
 public:
  void on_event(TokenEvent event) override {
    if (event.finished) ended_.set_value(SteadyClock().now());
  }
  TimePoint wait() { return ended_.get_future().get(); }

 private:
  std::promise<TimePoint> ended_;
};

const SteadyClock kClock;

// One place; what is submitted behind `busy` waits for it.
struct OnePlace {
  OnePlace() {
    SchedulerConfig config;
    config.policy.name = "pars";
    config.max_num_seqs = 1;
    config.max_num_batched_tokens = 64;
    config.max_model_len = 256;
    config.num_blocks = 64;
    auto runner = std::make_unique<SimRunner>(SimStepCost{}, 1, [this](Seconds) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      while (is_held) std::this_thread::yield();
    });
    engine = *EngineThread::start(make_sim_assets(256), config, {}, kClock, std::move(runner));
  }
  ~OnePlace() { is_held = false; }

  std::shared_ptr<EndSink> submit(const std::string& prompt, int32_t max_tokens = 4) {
    Request request;
    request.prompt_token_ids = {'x', 'y'};
    request.sampling.temperature = 0;
    request.sampling.ignore_eos = true;
    request.sampling.stop = {"never said"};  // so that its length is not known
    request.sampling.max_tokens = max_tokens;
    request.ranked_prompt = prompt;
    auto sink = std::make_shared<EndSink>();
    REQUIRE(engine->submit(std::move(request), sink).ok());
    return sink;
  }

  std::atomic<bool> is_held{true};
  std::unique_ptr<Engine> engine;
};

TEST_CASE("the engine serves what its ranker expects to be short first", "[ranking][engine]") {
  OnePlace place;
  place.engine->use_ranker(std::make_shared<Literal>(1));
  const auto busy = place.submit("1");
  // max_tokens bounds what is expected, so it leaves the ranker room.
  const auto slow = place.submit("-500", 100);
  const auto fast = place.submit("-990", 100);
  place.is_held = false;
  busy->wait();
  CHECK(fast->wait() < slow->wait());
  const EngineStats stats = place.engine->stats();
  CHECK(stats.policy == "pars");
  CHECK(stats.ranker.name == "literal");
  CHECK(stats.ranker.num_answers == 0);  // max_tokens has cut them all: that tells nothing of it
}

TEST_CASE("another ranker scores what waits anew", "[ranking][engine]") {
  OnePlace place;
  place.engine->use_ranker(std::make_shared<Literal>(1));
  const auto busy = place.submit("1");
  const auto first_by_one = place.submit("-990", 100);
  const auto first_by_two = place.submit("-910", 100);
  place.engine->use_ranker(std::make_shared<Other>(3));
  place.is_held = false;
  busy->wait();
  CHECK(first_by_two->wait() < first_by_one->wait());
  CHECK(place.engine->stats().ranker.version == 3);
}

}  // namespace
