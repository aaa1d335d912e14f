// Several answers to one prompt, and log-probabilities, on a virtual clock and a model that is a
// hash.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "base/rng.h"
#include "engine/step/engine_loop.h"
#include "engine/step/sim_engine.h"

using namespace tern;

namespace {

constexpr int32_t kVocab = SimRunner::kVocabSize;

// Logits of a token at a position, the same whatever runs beside it.
std::vector<float> hash_logits(int32_t token_id, int32_t position) {
  std::vector<float> out(kVocab);
  for (int32_t v = 0; v < kVocab; ++v)
    out[v] = float(8 * random_uniform(uint64_t(token_id) << 32 | uint32_t(position),
                                      RngStream::kTest, uint64_t(v)));
  out[SimRunner::kEos] = 4;
  return out;
}

struct HashRunner final : ModelRunner {
  MatView<const float> execute(const StepBatch& batch) override {
    rows.resize(batch.logits_rows.size() * kVocab);
    most_rows = std::max(most_rows, batch.logits_rows.size());
    num_tokens += batch.num_tokens();
    ++num_passes;
    for (size_t r = 0; r < batch.logits_rows.size(); ++r) {
      const int32_t row = batch.logits_rows[r];
      const auto logits = hash_logits(batch.token_ids[row], batch.positions[row]);
      std::copy(logits.begin(), logits.end(), rows.begin() + r * kVocab);
      if (batch.positions[row] == spoiled_position && batch.token_ids[row] == spoiled_token)
        rows[r * kVocab + 3] = std::nanf("");
    }
    return {rows.data(), int64_t(batch.logits_rows.size()), kVocab, kVocab};
  }
  std::vector<float> rows;
  size_t most_rows = 0;
  int64_t num_tokens = 0;
  int num_passes = 0;
  int32_t spoiled_position = -1, spoiled_token = -1;
};

struct Recorded {
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprobs> logprobs;
  std::optional<FinishedEvent> finished;
};

struct RecordingSink final : TokenSink {
  void on_admitted(int32_t) override { ++num_admitted; }
  void on_prompt_logprobs(int32_t first, std::vector<TokenLogprobs> logprobs) override {
    REQUIRE(answers.empty());  // all of the prompt comes before the first token
    REQUIRE(first == int32_t(prompt.size()));
    prompt.insert(prompt.end(), logprobs.begin(), logprobs.end());
  }
  void on_event(TokenEvent event) override {
    Recorded& answer = answers[event.index];
    REQUIRE(!answer.finished);  // nothing comes after the end
    answer.token_ids.insert(answer.token_ids.end(), event.token_ids.begin(), event.token_ids.end());
    answer.logprobs.insert(answer.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    answer.finished = event.finished;
  }
  int num_admitted = 0;
  std::vector<TokenLogprobs> prompt;
  std::map<int32_t, Recorded> answers;
};

SchedulerConfig default_config() {
  SchedulerConfig c;
  c.max_num_seqs = 8;
  c.max_num_batched_tokens = 32;
  c.num_blocks = 128;
  c.block_size = 4;
  c.max_model_len = 200;
  return c;
}

struct Fixture {
  explicit Fixture(const SchedulerConfig& config = default_config())
      : loop(*Scheduler::create(config), runner, strategies, kVocab, clock, nullptr) {}

  std::shared_ptr<RecordingSink> add(Request request) {
    auto sink = std::make_shared<RecordingSink>();
    loop.add({next_id, std::move(request), sink, clock.now()});
    last_id = next_id;
    next_id += 100;
    return sink;
  }

  void run() {
    for (int i = 0; i < 10000 && loop.has_work(); ++i) loop.step();
    REQUIRE(!loop.has_work());
    REQUIRE(loop.scheduler_stats().num_used_blocks == 0);
    loop.scheduler().check_invariants();
  }

  ManualClock clock;
  HashRunner runner;
  std::unique_ptr<Tokenizer> tokenizer = make_sim_tokenizer();
  DecodeStrategies strategies{tokenizer.get(), {SimRunner::kEos}};
  EngineLoop loop;
  uint64_t next_id = 1, last_id = 0;
};

Request make_request(int prompt_tokens, uint64_t seed, int32_t max_tokens) {
  Request r;
  for (int i = 0; i < prompt_tokens; ++i)
    r.prompt_token_ids.push_back(int32_t(random_bits(seed, RngStream::kTest, i) % 256));
  r.sampling.seed = seed;
  r.sampling.max_tokens = max_tokens;
  return r;
}

}  // namespace

TEST_CASE("n answers are those of n seeded requests, and compute the prompt once",
          "[runtime][answers][EC-27]") {
  for (const bool caching : {true, false}) {
    SchedulerConfig config = default_config();
    config.enable_prefix_caching = caching;
    Fixture f(config);
    Request several = make_request(41, ~uint64_t{0} - 1, 30);  // the seeds wrap around
    several.sampling.n = 4;
    const auto sink = f.add(several);
    f.run();
    REQUIRE(sink->answers.size() == 4);
    CHECK(sink->num_admitted == 1);
    const int64_t computed = f.runner.num_tokens;

    Fixture alone;
    int64_t output = 0;
    for (int32_t i = 0; i < 4; ++i) {
      Request single = several;
      single.sampling.n = 1;
      single.sampling.seed += uint64_t(i);
      const auto one = alone.add(single);
      alone.run();
      const Recorded& answer = sink->answers.at(i);
      CHECK(answer.token_ids == one->answers.at(0).token_ids);
      REQUIRE(answer.finished);
      CHECK(answer.finished->reason == one->answers.at(0).finished->reason);
      CHECK(answer.finished->usage.prompt_tokens == 41);
      CHECK(answer.finished->usage.cached_tokens == (caching && i > 0 ? 40 : 0));
      output += answer.finished->usage.completion_tokens - 1;  // the last is not fed back
    }
    CHECK(sink->answers.at(0).token_ids != sink->answers.at(1).token_ids);
    CHECK(computed == output + (caching ? 41 + 3 : 4 * 41));
  }
}

TEST_CASE("an end of a request ends all its answers once, wherever they are",
          "[runtime][answers]") {
  const bool by_deadline = GENERATE(true, false);
  for (int steps = 0; steps < 8; ++steps) {
    Fixture f;
    Request r = make_request(50, 3, 40);  // two steps of prefill
    r.sampling.n = 5;
    r.sampling.ignore_eos = true;
    if (by_deadline) r.deadline = f.clock.now() + to_duration(Seconds(1));
    const auto sink = f.add(r);
    const auto other = f.add(make_request(5, 4, 10));
    for (int s = 0; s < steps; ++s) f.loop.step();
    if (by_deadline)
      f.clock.advance(Seconds(2));
    else
      f.loop.end(1, Status(Code::kCancelled, "test"));
    f.run();
    CAPTURE(steps);
    REQUIRE(sink->answers.size() == 5);
    for (const auto& [index, answer] : sink->answers) {
      REQUIRE(answer.finished);
      CHECK(answer.finished->status.code() ==
            (by_deadline ? Code::kDeadlineExceeded : Code::kCancelled));
    }
    CHECK(other->answers.at(0).finished->status.ok());
  }
}

TEST_CASE("one answer's fault ends the request's others with its status, and no other request",
          "[runtime][answers][EC-27]") {
  Request r = make_request(20, 8, 12);
  r.sampling.n = 4;
  r.sampling.ignore_eos = true;
  Fixture healthy;
  const auto whole = healthy.add(r);
  healthy.run();

  Fixture f;
  f.runner.spoiled_position = 23;  // of one answer's third token, if it is its alone
  f.runner.spoiled_token = whole->answers.at(2).token_ids[3];
  const auto sink = f.add(r);
  const auto other = f.add(make_request(5, 4, 30));
  f.run();
  for (const auto& [index, answer] : sink->answers) {
    REQUIRE(answer.finished);
    CHECK(answer.finished->status.code() == Code::kInternal);
    CHECK(answer.token_ids.size() < 12);
  }
  CHECK(sink->answers.size() == 4);
  CHECK(other->answers.at(0).finished->status.ok());
}

TEST_CASE("prompt logprobs are right however the prompt is cut", "[runtime][answers]") {
  for (const int max_num_seqs : {1, 3, 8}) {
    for (const int chunk : {8, 32, 64}) {
      SchedulerConfig config = default_config();
      config.max_num_seqs = max_num_seqs;
      config.max_num_batched_tokens = chunk;
      Fixture f(config);
      const Request plain = make_request(37, 5, 6);
      const auto before = f.add(plain);  // fills the prefix cache
      f.run();
      Request r = plain;
      r.sampling.prompt_logprobs = 3;
      r.sampling.n = 2;
      const auto sink = f.add(r);
      const auto mate = f.add(make_request(11, 6, 6));
      f.run();
      CAPTURE(max_num_seqs, chunk);
      CHECK(f.runner.most_rows <= size_t(max_num_seqs));
      REQUIRE(sink->prompt.size() == 37);
      CHECK(!sink->prompt[0].chosen.logprob);
      CHECK(sink->prompt[0].chosen.token_id == r.prompt_token_ids[0]);
      for (int32_t i = 1; i < 37; ++i) {
        const auto expected = compute_logprobs(hash_logits(r.prompt_token_ids[i - 1], i - 1),
                                               r.prompt_token_ids[i], 3);
        CHECK(sink->prompt[i].chosen.token_id == r.prompt_token_ids[i]);
        CHECK(sink->prompt[i].chosen.logprob == expected->chosen.logprob);
        CHECK(sink->prompt[i].chosen.rank == expected->chosen.rank);
        REQUIRE(sink->prompt[i].top.size() == 3);
        CHECK(sink->prompt[i].top[2].logprob == expected->top[2].logprob);
      }
      CHECK(sink->answers.at(0).token_ids == before->answers.at(0).token_ids);
      CHECK(sink->answers.at(0).finished->usage.cached_tokens == 0);
      CHECK(sink->answers.at(1).finished->usage.cached_tokens == 36);
      CHECK(mate->answers.at(0).finished->status.ok());
    }
  }
}

TEST_CASE("prompt logprobs come once, also where the prompt is preempted and computed again",
          "[runtime][answers]") {
  SchedulerConfig config = default_config();
  config.num_blocks = 26;
  config.max_num_batched_tokens = 8;
  config.max_num_seqs = 4;
  config.enable_prefix_caching = false;
  int num_preempted = 0;
  for (int delay = 0; delay < 12; ++delay) {
    Fixture f(config);
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    std::vector<Request> requests;
    for (int i = 0; i < 4; ++i) {
      Request& r = requests.emplace_back(make_request(13 + 9 * i, 30 + i, 40));
      r.sampling.prompt_logprobs = 0;
      r.sampling.ignore_eos = true;
      sinks.push_back(f.add(r));
      for (int s = 0; s < delay; ++s) f.loop.step();
    }
    f.run();
    for (size_t i = 0; i < sinks.size(); ++i) {
      REQUIRE(sinks[i]->prompt.size() == requests[i].prompt_token_ids.size());
      for (size_t k = 0; k < sinks[i]->prompt.size(); ++k)
        CHECK(sinks[i]->prompt[k].chosen.token_id == requests[i].prompt_token_ids[k]);
      num_preempted += sinks[i]->answers.at(0).finished->timing.num_preemptions > 0;
    }
  }
  CHECK(num_preempted > 10);
}

TEST_CASE("a fault in a prompt whose logprobs are wanted ends that request alone",
          "[runtime][answers]") {
  Fixture f;
  Request r = make_request(40, 9, 5);
  r.sampling.prompt_logprobs = 0;
  f.runner.spoiled_position = 10;
  f.runner.spoiled_token = r.prompt_token_ids[10];
  const auto sink = f.add(r);
  const auto other = f.add(make_request(20, 10, 5));
  f.run();
  CHECK(sink->answers.at(0).finished->status.code() == Code::kInternal);
  CHECK(sink->answers.at(0).token_ids.empty());
  CHECK(other->answers.at(0).finished->status.ok());
}

TEST_CASE("a prompt alone is computed and answered by nothing, as long as the context",
          "[runtime][answers][EC-35]") {
  for (const int length : {1, 33, 200}) {
    Fixture f;
    Request r = make_request(length, 5, 0);
    r.prompt_only = true;
    r.sampling.n = 3;
    r.sampling.prompt_logprobs = 1;
    const auto sink = f.add(r);
    const auto other = f.add(make_request(7, 6, 5));
    f.run();
    CAPTURE(length);
    REQUIRE(sink->prompt.size() == size_t(length));
    for (int i = 1; i < length; ++i)
      CHECK(sink->prompt[size_t(i)].chosen.logprob ==
            compute_logprobs(hash_logits(r.prompt_token_ids[size_t(i) - 1], i - 1),
                             r.prompt_token_ids[size_t(i)], 1)
                ->chosen.logprob);
    REQUIRE(sink->answers.size() == 3);
    for (const auto& [index, answer] : sink->answers) {
      CHECK(answer.token_ids.empty());
      REQUIRE(answer.finished);
      CHECK(answer.finished->status.ok());
      CHECK(answer.finished->usage.prompt_tokens == length);
      CHECK(answer.finished->usage.completion_tokens == 0);
      CHECK(answer.finished->timing.ttft == Seconds(0));
    }
    CHECK(other->answers.at(0).token_ids.size() == 5);
  }
}

TEST_CASE("logprobs come with each token, of the logits before the penalties",
          "[runtime][answers][EC-29]") {
  Fixture f;
  Request r = make_request(9, 12, 20);
  r.sampling.logprobs = 2;
  r.sampling.logprob_token_ids = {1, 2};
  r.sampling.presence_penalty = 2;
  r.sampling.logit_bias = {{100, 5}};
  const auto sink = f.add(r);
  f.run();
  const Recorded& answer = sink->answers.at(0);
  REQUIRE(!answer.token_ids.empty());
  REQUIRE(answer.logprobs.size() == answer.token_ids.size());
  std::vector<int32_t> tokens = r.prompt_token_ids;
  for (size_t i = 0; i < answer.token_ids.size(); ++i) {
    const std::vector<int32_t> wanted{1, 2};
    const auto expected = compute_logprobs(hash_logits(tokens.back(), int32_t(tokens.size()) - 1),
                                           answer.token_ids[i], 2, wanted);
    CHECK(answer.logprobs[i].chosen.token_id == answer.token_ids[i]);
    CHECK(answer.logprobs[i].chosen.logprob == expected->chosen.logprob);
    CHECK(answer.logprobs[i].top.size() == expected->top.size());
    tokens.push_back(answer.token_ids[i]);
  }
}

TEST_CASE("min_tokens keeps an answer from ending, and bad words out of it", "[runtime][answers]") {
  Fixture f;
  Request r = make_request(9, 12, 30);
  r.sampling.min_tokens = 20;
  r.sampling.logit_bias = {{SimRunner::kEos, 20}, {'a', 10}, {'b', 10}};
  r.sampling.bad_word_token_ids = {{'a', 'b'}, {'b', 'b'}};
  r.sampling.temperature = 0.9f;
  const auto sink = f.add(r);
  f.run();
  const std::vector<int32_t>& ids = sink->answers.at(0).token_ids;
  CHECK(ids.size() == 21);
  CHECK(ids.back() == SimRunner::kEos);
  CHECK(sink->answers.at(0).finished->reason == FinishReason::kEos);
  for (size_t i = 1; i < ids.size(); ++i)
    CHECK_FALSE((ids[i] == 'b' && (ids[i - 1] == 'a' || ids[i - 1] == 'b')));
  CHECK(std::count(ids.begin(), ids.end(), 'a') > 10);
}
