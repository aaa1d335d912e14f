#include "engine/decode/sampler.h"

#include <catch2/catch.hpp>
#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/rng.h"
#include "tests/engine/decode/distribution.h"
#include "tests/engine/decode/hostile_rows.h"
#include "tests/engine/decode/reference_sampler.h"

using namespace tern;

namespace {

const std::vector<float> kLogits{1.5f, -0.5f, 2.0f, 0.0f, 1.5f, -1.0f, 0.7f, 1.9f};
const History kHistory{.prompt = {1, 2, 5, 2}, .output = {2, 0, 0, 7, 3, 0}};

TokenCounts count(const History& history) {
  TokenCounts counts(16);
  counts.add_prompt(history.prompt);
  for (const int32_t id : history.output) counts.add_output(id);
  return counts;
}

struct Case {
  const char* name;
  std::function<void(SamplingParams&)> set;
  Mistake caught = Mistake::kNone;  // that this case tells from the right thing
};

const std::vector<Case> kCases = {
    {"plain", [](auto&) {}},
    {"cold", [](auto& p) { p.temperature = 0.5f; }},
    {"hot", [](auto& p) { p.temperature = 1.8f; }},
    {"top_k", [](auto& p) { p.top_k = 3; }, Mistake::kTopKOffByOne},
    {"top_k of one", [](auto& p) { p.top_k = 1; }, Mistake::kTopKOffByOne},
    {"top_p", [](auto& p) { p.top_p = 0.6f; }, Mistake::kTopPWithoutTheTokenThatReachesIt},
    {"top_p of nothing", [](auto& p) { p.top_p = 0; }},
    {"min_p", [](auto& p) { p.min_p = 0.3f; }},
    {"min_p, hot", [](auto& p) { p.temperature = 2, p.min_p = 0.5f; },
     Mistake::kMinPBeforeTemperature},
    {"top_k and top_p", [](auto& p) { p.top_k = 4, p.top_p = 0.8f; }, Mistake::kTopPBeforeTopK},
    {"all three",
     [](auto& p) { p.temperature = 1.3f, p.min_p = 0.2f, p.top_k = 5, p.top_p = 0.9f; }},
    {"presence", [](auto& p) { p.presence_penalty = 1.5f; }, Mistake::kPresenceCountsThePrompt},
    {"presence, negative", [](auto& p) { p.presence_penalty = -2; },
     Mistake::kPresenceCountsThePrompt},
    {"frequency", [](auto& p) { p.frequency_penalty = 0.7f; }, Mistake::kFrequencyCountsOnce},
    {"repetition", [](auto& p) { p.repetition_penalty = 1.8f; }, Mistake::kRepetitionMultipliesAll},
    {"penalties, hot", [](auto& p) { p.temperature = 1.7f, p.frequency_penalty = 1; },
     Mistake::kPenaltyAfterTemperature},
    {"logit_bias",
     [](auto& p) {
       p.logit_bias = {{0, -2}, {5, 4}}, p.repetition_penalty = 2;
     },
     Mistake::kBiasAfterPenalties},
    {"ban",
     [](auto& p) {
       p.logit_bias = {{2, -100}};
     }},
    {"allowed",
     [](auto& p) {
       p.allowed_token_ids = {6, 1, 2, 1};
     }},
    {"everything",
     [](auto& p) {
       p.allowed_token_ids = {0, 1, 2, 3, 4, 5, 6};
       p.logit_bias = {{1, 1.5f}};
       p.presence_penalty = 0.5f, p.frequency_penalty = 0.25f, p.repetition_penalty = 1.3f;
       p.temperature = 0.8f, p.min_p = 0.05f, p.top_k = 6, p.top_p = 0.95f;
     },
     Mistake::kFrequencyCountsOnce},
};

std::vector<int> draw(const SamplingParams& params, int num_draws) {
  Sampler sampler(static_cast<int32_t>(kLogits.size()));
  const TokenCounts counts = count(kHistory);
  std::vector<int> out(kLogits.size());
  for (int i = 0; i < num_draws; ++i)
    ++out[*sampler.sample(kLogits, params, {.position = uint64_t(i), .counts = &counts})];
  return out;
}

int32_t sample(std::span<const float> logits, const SamplingParams& p,
               const SampleHistory& history = {}) {
  Sampler sampler(static_cast<int32_t>(logits.size()));
  const Result<int32_t> token = sampler.sample(logits, p, history);
  REQUIRE(token.ok());
  return *token;
}

SamplingParams greedy() {
  SamplingParams p;
  p.temperature = 0;
  return p;
}

}  // namespace

TEST_CASE("draws follow the exact distribution of every filter and penalty",
          "[decode][sampler][EC-26]") {
  for (const Case& c : kCases) {
    SamplingParams p;
    c.set(p);
    REQUIRE(p.validate().ok());
    const std::vector<double> exact = ExactDistribution(kLogits, p, kHistory).probabilities();
    for (p.seed = 0; p.seed < 100; ++p.seed) {
      const double p_value = goodness_of_fit(draw(p, 1000), exact);
      CAPTURE(c.name, p.seed, p_value);
      CHECK(p_value > 1e-4);
    }
  }
}

TEST_CASE("the test of distributions finds a mistake in each of them", "[decode][sampler]") {
  std::set<Mistake> caught;
  for (const Case& c : kCases) {
    if (c.caught == Mistake::kNone) continue;
    SamplingParams p;
    c.set(p);
    const std::vector<double> wrong =
        ExactDistribution(kLogits, p, kHistory, c.caught).probabilities();
    int found = 0;
    for (p.seed = 0; p.seed < 20; ++p.seed) found += goodness_of_fit(draw(p, 4000), wrong) <= 1e-4;
    CAPTURE(c.name, found);
    CHECK(found == 20);
    caught.insert(c.caught);
  }
  CHECK(caught.size() == 9);
}

TEST_CASE("top_p keeps the same tokens however many it has to sort", "[decode][sampler]") {
  std::vector<float> logits(3000);  // nearly flat: the nucleus needs several runs
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = float(random_uniform(3, RngStream::kTest, i));
  SamplingParams p;
  p.top_p = 0.7f;
  const std::vector<double> exact = ExactDistribution(logits, p, {}).probabilities();
  std::set<int32_t> drawn;
  Sampler sampler(3000);
  for (uint64_t i = 0; i < 40000; ++i) drawn.insert(*sampler.sample(logits, p, {.position = i}));
  size_t possible = 0, outside = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    possible += exact[i] > 0;
    outside += exact[i] == 0 && drawn.contains(int32_t(i));
  }
  CHECK(outside == 0);
  CHECK(drawn.size() > possible * 99 / 100);
  CHECK(possible > 1000);
}

TEST_CASE("greedy takes the lowest id among the largest", "[decode][sampler][EC-26]") {
  CHECK(sample(kLogits, greedy()) == 2);
  CHECK(sample(std::vector<float>{1, 3, 3, 2}, greedy()) == 1);
}

TEST_CASE("greedy finds the largest wherever it stands", "[decode][sampler]") {
  Sampler sampler(100);
  for (const size_t size : {1, 2, 15, 16, 17, 31, 32, 33, 100}) {
    for (size_t at = 0; at < size; ++at) {
      std::vector<float> logits(size, -5.0f);
      logits[at] = -1.0f;
      REQUIRE(*sampler.sample(logits, greedy(), {}) == int32_t(at));
      logits[size - 1] = -1.0f;  // a tie goes to the lower id
      REQUIRE(*sampler.sample(logits, greedy(), {}) == int32_t(at));
      logits[at] = std::nanf("");
      REQUIRE(!sampler.sample(logits, greedy(), {}).ok());
    }
  }
}

TEST_CASE("greedy obeys masks, bias and penalties", "[decode][sampler]") {
  SamplingParams p = greedy();
  p.logit_bias = {{5, 4}};
  CHECK(sample(kLogits, p) == 5);
  p = greedy();
  p.allowed_token_ids = {1, 3, 6};
  CHECK(sample(kLogits, p) == 6);
  p = greedy();
  p.presence_penalty = 2;
  const TokenCounts counts = count(kHistory);
  CHECK(sample(kLogits, p, {.counts = &counts}) == 4);  // 2, 7 and 0 have occurred
  p.presence_penalty = 0, p.repetition_penalty = 1e-39f;
  CHECK(sample(kLogits, p, {.counts = &counts}) == 0);  // overflows: the lowest of the huge ones
}

TEST_CASE("a bad word loses the token that would complete it, no other",
          "[decode][sampler][EC-28]") {
  SamplingParams p = greedy();
  p.bad_word_token_ids = {{2}};
  CHECK(sample(kLogits, p) == 7);
  p.bad_word_token_ids = {{4, 6, 2}, {7}};
  const std::vector<int32_t> completing{0, 4, 6}, other{4, 6, 0}, short_one{6};
  CHECK(sample(kLogits, p, {.output_token_ids = completing}) == 0);
  CHECK(sample(kLogits, p, {.output_token_ids = other}) == 2);
  CHECK(sample(kLogits, p, {.output_token_ids = short_one}) == 2);
  CHECK(sample(kLogits, p) == 2);
}

TEST_CASE("min_tokens masks what would end the answer, until then", "[decode][sampler][EC-28]") {
  SamplingParams p = greedy();
  p.min_tokens = 3;
  const std::vector<int32_t> ends{2, 7};
  CHECK(sample(kLogits, p, {.position = 2, .end_token_ids = ends}) == 0);
  CHECK(sample(kLogits, p, {.position = 3, .end_token_ids = ends}) == 2);
}

TEST_CASE("masks that leave nothing end the request with a reason", "[decode][sampler]") {
  SamplingParams p;
  p.allowed_token_ids = {2};
  p.min_tokens = 1;
  p.logit_bias = {{2, 100}};
  const std::vector<int32_t> ends{2};
  Sampler sampler(8);
  for (p.temperature = 0; p.temperature < 2; p.temperature += 1) {
    const Result<int32_t> token = sampler.sample(kLogits, p, {.end_token_ids = ends});
    REQUIRE(!token.ok());
    CHECK(token.status().code() == Code::kInvalidArgument);
    CHECK(token.status().message().find("no token") != std::string::npos);
  }
}

TEST_CASE("a masked token is never drawn, even where all others are hopeless",
          "[decode][sampler]") {
  const std::vector<float> logits{90.0f, 90.0f, -90.0f, 90.0f};
  SamplingParams p;
  p.temperature = 0.01f;
  p.allowed_token_ids = {2};
  Sampler sampler(4);
  for (uint64_t i = 0; i < 1000; ++i) REQUIRE(*sampler.sample(logits, p, {.position = i}) == 2);
}

TEST_CASE("a draw depends on seed and position alone", "[decode][sampler][EC-27]") {
  Sampler one(8), two(8);
  SamplingParams p, other;
  other.presence_penalty = 1;  // leaves something in the scratch
  const TokenCounts counts = count(kHistory);
  for (uint64_t position = 0; position < 100; ++position) {
    p.seed = 42;
    const int32_t a = *one.sample(kLogits, p, {.position = position});
    other.seed = position;  // another request in between
    (void)*one.sample(kLogits, other, {.position = 3, .counts = &counts});
    REQUIRE(*two.sample(kLogits, p, {.position = position}) == a);
  }
}

TEST_CASE("logits that are no numbers end the request, not the process", "[decode][sampler]") {
  Sampler sampler(8);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> logits = kLogits;
    logits[3] = bad;
    for (const float temperature : {0.0f, 1.0f}) {
      SamplingParams p;
      p.temperature = temperature;
      p.allowed_token_ids = {1, 2};  // a mask does not hide the fault
      const Result<int32_t> token = sampler.sample(logits, p, {});
      REQUIRE(!token.ok());
      CHECK(token.status().code() == Code::kInternal);
    }
  }
}

namespace {

/// Every way to cut a distribution down, and none.
std::vector<SamplingParams> filters() {
  std::vector<SamplingParams> all;
  for (const float temperature : {1.0f, 0.3f, 2.0f})
    for (const int top_k : {0, 1, 5, 60, 4000})
      for (const float top_p : {1.0f, 0.95f, 0.3f, 0.0f, 0.9999999f})
        for (const float min_p : {0.0f, 0.02f}) {
          SamplingParams& p = all.emplace_back();
          p.temperature = temperature, p.top_k = top_k, p.top_p = top_p, p.min_p = min_p;
        }
  return all;
}

}  // namespace

TEST_CASE("draws are those of the reference, which sorts everything", "[decode][sampler]") {
  for (const HostileRow& row : hostile_rows()) {
    const bool is_large = row.logits.size() > 100000;
    Sampler sampler(static_cast<int32_t>(row.logits.size()));
    for (SamplingParams p : filters()) {
      if (is_large && (p.temperature != 1 || p.min_p > 0)) continue;
      for (uint64_t position = 0; position < (is_large ? 3 : 8); ++position) {
        p.seed = position * 77;
        CAPTURE(row.name, p.temperature, p.top_k, p.top_p, p.min_p, position);
        REQUIRE(*sampler.sample(row.logits, p, {.position = position}) ==
                reference_draw(row.logits, p, position));
      }
    }
  }
}

TEST_CASE("every instruction set draws the same tokens", "[decode][sampler][EC-42]") {
  for (const HostileRow& row : hostile_rows()) {
    if (row.logits.size() > 100000) continue;
    const auto vocab_size = static_cast<int32_t>(row.logits.size());
    Sampler base(vocab_size, Isa::kScalar);
    for (const Isa isa : runnable_isas()) {
      Sampler other(vocab_size, isa);
      for (SamplingParams p : filters()) {
        for (p.seed = 0; p.seed < 4; ++p.seed) {
          CAPTURE(row.name, isa_name(isa), p.temperature, p.top_k, p.top_p, p.seed);
          REQUIRE(*other.sample(row.logits, p, {}) == *base.sample(row.logits, p, {}));
        }
      }
    }
  }
}
