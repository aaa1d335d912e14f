// The step on a virtual clock, without a model: ends, deadlines, faults, accounting.
#include "engine/step/engine_loop.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/step/sim_engine.h"

using namespace tern;

namespace {

struct RecordingSink final : TokenSink {
  void on_admitted(int32_t cached) override {
    ++num_admitted;
    cached_tokens = cached;
  }
  void on_event(TokenEvent event) override {
    REQUIRE(!finished);  // nothing comes after the end
    text += event.text;
    token_ids.insert(token_ids.end(), event.token_ids.begin(), event.token_ids.end());
    finished = event.finished;
  }
  int num_admitted = 0;
  int32_t cached_tokens = 0;
  std::string text;
  std::vector<int32_t> token_ids;
  std::optional<FinishedEvent> finished;
};

// The simulated runner, but one row's logits can be spoiled.
struct FaultyRunner final : ModelRunner {
  explicit FaultyRunner(ManualClock& clock)
      : sim({}, 64, [&clock](Seconds s) { clock.advance(s); }) {}
  MatView<const float> execute(const StepBatch& batch) override {
    const MatView<const float> logits = sim.execute(batch);
    if (spoiled_row >= 0 && spoiled_row < logits.rows)
      const_cast<float*>(logits.row(spoiled_row))[7] = std::nanf("");
    return logits;
  }
  SimRunner sim;
  int64_t spoiled_row = -1;
};

struct Fixture {
  explicit Fixture(SchedulerConfig config = default_config())
      : loop(*Scheduler::create(config), runner, strategies, SimRunner::kVocabSize, clock,
             nullptr) {}

  static SchedulerConfig default_config() {
    SchedulerConfig c;
    c.num_blocks = 64;
    c.max_model_len = 512;
    return c;
  }

  std::shared_ptr<RecordingSink> add(const std::string& prompt, SamplingParams sampling,
                                     std::optional<Seconds> deadline = {}) {
    Request r;
    for (const char c : prompt) r.prompt_token_ids.push_back(static_cast<unsigned char>(c));
    r.sampling = std::move(sampling);
    if (deadline) r.deadline = clock.now() + to_duration(*deadline);
    auto sink = std::make_shared<RecordingSink>();
    loop.add({++last_id, std::move(r), sink, clock.now()});
    return sink;
  }

  void run() {
    for (int i = 0; i < 100000 && loop.has_work(); ++i) loop.step();
    REQUIRE(!loop.has_work());
    REQUIRE(loop.scheduler_stats().num_used_blocks == 0);
    loop.scheduler().check_invariants();
  }

  static SamplingParams greedy(int32_t max_tokens) {
    SamplingParams p;
    p.temperature = 0;
    p.max_tokens = max_tokens;
    return p;
  }

  ManualClock clock;
  FaultyRunner runner{clock};
  std::unique_ptr<Tokenizer> tokenizer = make_sim_tokenizer();
  DecodeStrategies strategies{tokenizer.get(), {SimRunner::kEos}};
  EngineLoop loop;
  uint64_t last_id = 0;
};

// What SimRunner must answer, by its rule alone.
std::string expected_answer(const std::string& prompt, int32_t max_tokens, bool& eos) {
  std::string answer;
  int32_t token = static_cast<unsigned char>(prompt.back());
  int32_t position = static_cast<int32_t>(prompt.size()) - 1;
  eos = false;
  while (static_cast<int32_t>(answer.size()) < max_tokens) {
    token = SimRunner::next_token(token, position++);
    if (token == SimRunner::kEos) {
      eos = true;
      break;
    }
    answer += char(token);
  }
  return answer;
}

}  // namespace

TEST_CASE("answers follow the simulation's rule, alone and together", "[runtime][loop]") {
  Fixture f;
  std::vector<std::string> prompts;
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 20; ++i) {
    prompts.push_back("prompt number " + std::to_string(i * i));
    sinks.push_back(f.add(prompts.back(), Fixture::greedy(40)));
  }
  f.run();
  for (size_t i = 0; i < prompts.size(); ++i) {
    bool eos = false;
    CHECK(sinks[i]->text == expected_answer(prompts[i], 40, eos));
    REQUIRE(sinks[i]->finished);
    CHECK(sinks[i]->finished->status.ok());
    CHECK(sinks[i]->finished->reason == (eos ? FinishReason::kEos : FinishReason::kLength));
    CHECK(sinks[i]->finished->usage.prompt_tokens == int(prompts[i].size()));
    CHECK(sinks[i]->finished->usage.completion_tokens == int(sinks[i]->text.size()) + eos);
    CHECK(sinks[i]->token_ids.size() == sinks[i]->text.size() + eos);
    if (eos) CHECK(sinks[i]->token_ids.back() == SimRunner::kEos);
    CHECK(sinks[i]->num_admitted == 1);
    CHECK(sinks[i]->finished->timing.ttft > Seconds(0));
    CHECK(sinks[i]->finished->timing.e2e >= sinks[i]->finished->timing.ttft);
  }
  CHECK(f.loop.max_step_seqs() == 20);
}

TEST_CASE("stop strings, stop tokens and ignore_eos end answers as asked", "[runtime][loop]") {
  Fixture f;
  bool eos = false;
  const std::string full = expected_answer("stop here", 30, eos);
  REQUIRE(full.size() >= 8);
  SamplingParams with_stop = Fixture::greedy(30), with_token = Fixture::greedy(30);
  with_stop.stop = {full.substr(4, 3)};
  with_token.stop_token_ids = {full[5]};
  const auto stopped = f.add("stop here", with_stop);
  const auto token = f.add("stop here", with_token);
  SamplingParams endless = Fixture::greedy(300);
  endless.ignore_eos = true;
  const auto ignoring = f.add("ignore", endless);
  f.run();
  CHECK(stopped->text == full.substr(0, full.find(full.substr(4, 3))));
  CHECK(stopped->finished->reason == FinishReason::kStopString);
  CHECK(stopped->finished->matched_stop == full.substr(4, 3));
  CHECK(token->text == full.substr(0, full.find(full[5])));
  CHECK(token->finished->reason == FinishReason::kStopToken);
  CHECK(token->finished->matched_stop_token == full[5]);
  CHECK(token->token_ids.back() == full[5]);
  CHECK(ignoring->finished->usage.completion_tokens == 300);
  CHECK(ignoring->finished->reason == FinishReason::kLength);
}

TEST_CASE("deadlines end requests while queued and while they run", "[runtime][loop][EC-7]") {
  SchedulerConfig config = Fixture::default_config();
  config.max_num_seqs = 1;
  Fixture f(config);
  SamplingParams endless = Fixture::greedy(400);
  endless.ignore_eos = true;
  const auto running = f.add("running", endless, Seconds(0.1));
  const auto queued = f.add("queued", endless, Seconds(0.05));
  f.run();
  CHECK(running->finished->status.code() == Code::kDeadlineExceeded);
  CHECK(running->finished->status.message().find("generation") != std::string::npos);
  CHECK(running->token_ids.size() > 50);  // 1 ms steps
  CHECK(running->token_ids.size() < 110);
  CHECK(queued->finished->status.code() == Code::kDeadlineExceeded);
  CHECK(queued->finished->status.message().find("queued") != std::string::npos);
  CHECK(queued->num_admitted == 0);
}

TEST_CASE("a numeric fault ends the guilty request alone", "[runtime][loop][EC-30]") {
  Fixture f;
  SamplingParams endless = Fixture::greedy(30);
  endless.ignore_eos = true;
  const auto first = f.add("first", endless), second = f.add("second", endless);
  const auto later = f.add("later", Fixture::greedy(30));
  f.loop.step();
  f.runner.spoiled_row = 1;
  f.loop.step();
  f.runner.spoiled_row = -1;
  f.run();
  bool eos = false;
  CHECK(second->finished->status.code() == Code::kInternal);
  CHECK(second->token_ids.size() == 1);
  CHECK(first->finished->status.ok());
  CHECK(first->token_ids.size() == 30);
  CHECK(later->text == expected_answer("later", 30, eos));
}

TEST_CASE("requests end in every state, once, and give back their blocks",
          "[runtime][loop][EC-3]") {
  SchedulerConfig config = Fixture::default_config();
  config.max_num_batched_tokens = 8;
  config.max_num_seqs = 2;
  for (int steps = 0; steps < 12; ++steps) {
    Fixture f(config);
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (int i = 0; i < 4; ++i)
      sinks.push_back(
          f.add("a rather long prompt number " + std::to_string(i), Fixture::greedy(5)));
    for (int s = 0; s < steps; ++s) f.loop.step();
    for (uint64_t id : {1, 2, 3, 4, 99}) f.loop.end(id, Status(Code::kCancelled, "test"));
    CHECK(f.loop.scheduler_stats().num_used_blocks == 0);
    CHECK(!f.loop.has_work());
    for (const auto& sink : sinks) REQUIRE(sink->finished);
    f.run();
  }
}

TEST_CASE("what the scheduler refuses ends at once with its reason", "[runtime][loop]") {
  Fixture f;
  const auto sink = f.add("x", Fixture::greedy(5000));
  REQUIRE(sink->finished);
  CHECK(sink->finished->status.code() == Code::kOutOfRange);
  CHECK(!f.loop.has_work());
}

TEST_CASE("the same arrivals on the same clock give the same times", "[runtime][loop][EC-14]") {
  const auto trace = [] {
    Fixture f;
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (int i = 0; i < 10; ++i) {
      sinks.push_back(f.add("replay " + std::to_string(i), Fixture::greedy(20)));
      f.loop.step();
    }
    f.run();
    std::vector<double> times;
    for (const auto& s : sinks) times.push_back(s->finished->timing.e2e.count());
    return times;
  };
  CHECK(trace() == trace());
}

TEST_CASE("steps and the gaps between tokens are counted as they were", "[runtime][loop]") {
  Fixture f;
  SamplingParams five = Fixture::greedy(5), one = Fixture::greedy(1);
  five.ignore_eos = one.ignore_eos = true;
  const TimePoint begin = f.clock.now();
  f.add("a prompt of 20 bytes", five);
  f.loop.step();  // the prefill, and the first token
  const Seconds prefill = f.clock.now() - begin;
  f.add("another", one);
  f.run();
  const Seconds all = f.clock.now() - begin;
  const StepHistograms& steps = f.loop.step_histograms();

  CHECK(f.loop.num_prompt_tokens() == 27);
  CHECK(steps.tokens.count() == f.loop.scheduler_stats().num_steps);
  CHECK(steps.tokens.sum() == 20 + (1 + 7) + 1 + 1 + 1);
  CHECK(steps.prefill_seconds.count() == 2);  // the second has a decode in it too
  CHECK(steps.decode_seconds.count() == 3);
  CHECK(steps.prefill_seconds.sum() + steps.decode_seconds.sum() == Approx(all.count()));
  CHECK(steps.token_gap_seconds.count() == 4);  // of five tokens; one token has none
  CHECK(steps.token_gap_seconds.sum() == Approx((all - prefill).count()));
}
