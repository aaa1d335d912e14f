#include "engine/decode/sampling_params.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "engine/decode/param_ranges.h"

using namespace tern;

namespace {

template <class Change>
std::string message(Change change) {
  SamplingParams p;
  change(p);
  return p.validate().message();
}

template <class Change>
std::string id_message(Change change) {
  SamplingParams p;
  change(p);
  return p.validate_ids(100).message();
}

}  // namespace

TEST_CASE("parameters out of range are refused by name", "[decode][params]") {
  CHECK(message([](auto& p) { p.temperature = -0.1f; }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.temperature = 2.1f; }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.temperature = std::nanf(""); }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.top_p = -0.1f; }).find("top_p") == 0);
  CHECK(message([](auto& p) { p.top_p = 1.01f; }).find("top_p") == 0);
  CHECK(message([](auto& p) { p.min_p = -1; }).find("min_p") == 0);
  CHECK(message([](auto& p) { p.top_k = -1; }).find("top_k") == 0);
  CHECK(message([](auto& p) { p.presence_penalty = 2.5f; }).find("presence_penalty") == 0);
  CHECK(message([](auto& p) { p.frequency_penalty = -2.5f; }).find("frequency_penalty") == 0);
  CHECK(message([](auto& p) { p.repetition_penalty = 0; }).find("repetition_penalty") == 0);
  CHECK(message([](auto& p) {
          p.repetition_penalty = std::numeric_limits<float>::infinity();
        }).find("repetition_penalty") == 0);
  CHECK(message([](auto& p) { p.logit_bias = {{1, 101}}; }).find("logit_bias") == 0);
  CHECK(message([](auto& p) { p.logit_bias = {{1, std::nanf("")}}; }).find("logit_bias") == 0);
  CHECK(message([](auto& p) { p.max_tokens = -5; }).find("max_tokens") == 0);
  CHECK(message([](auto& p) { p.min_tokens = -5; }).find("min_tokens") == 0);
  CHECK(message([](auto& p) { p.min_tokens = 7, p.max_tokens = 6; }) ==
        "min_tokens: at most 6, is 7");
  CHECK(message([](auto& p) { p.min_tokens = 7; }).empty());  // max_tokens is not known yet
  CHECK(message([](auto& p) { p.n = 0; }).find("n: ") == 0);
  CHECK(message([](auto& p) { p.n = 2, p.temperature = 0; }).find("n: ") == 0);
  CHECK(message([](auto& p) { p.n = 2; }).empty());
  CHECK(message([](auto& p) { p.stop = {"ok", ""}; }).find("stop") == 0);
  CHECK(message([](auto& p) { p.bad_words = {"ok", ""}; }).find("bad_words") == 0);
  CHECK(message([](auto& p) { p.logprobs = 21; }) == "logprobs: at most 20, is 21");
  CHECK(message([](auto& p) { p.prompt_logprobs = -1; }).find("prompt_logprobs") == 0);
  CHECK(message([](auto& p) { p.logprob_token_ids.resize(129); }).find("logprob_token_ids") == 0);
  CHECK(SamplingParams{}.validate().ok());
}

TEST_CASE("a range is said as it is checked", "[decode][params]") {
  CHECK(message([](auto& p) { p.temperature = 3; }) == "temperature: must be in [0, 2], is 3");
  CHECK(message([](auto& p) { p.repetition_penalty = 0; }) ==
        "repetition_penalty: must be in (0, 10], is 0");
  CHECK(message([](auto& p) {
          p.logit_bias = {{1, -100.5f}};
        }) == "logit_bias: must be in [-100, 100], is -100.5");
  CHECK(message([](auto& p) { p.top_k = -1; }) == "top_k: must be in [0, 2147483647], is -1");
  CHECK(param_range::kMaxTokens.from(1).refuse(0) == "must be in [1, 2147483647], is 0");
  CHECK(param_range::kN.up_to(8).refuse(9) == "must be in [1, 8], is 9");
}

TEST_CASE("parameters begin with their neutral values", "[decode][params]") {
  using namespace param_range;
  const SamplingParams p;
  CHECK(p.temperature == kTemperature.neutral);
  CHECK(p.top_k == kTopK.neutral);
  CHECK(p.top_p == kTopP.neutral);
  CHECK(p.min_p == kMinP.neutral);
  CHECK(p.presence_penalty == kPresencePenalty.neutral);
  CHECK(p.frequency_penalty == kFrequencyPenalty.neutral);
  CHECK(p.repetition_penalty == kRepetitionPenalty.neutral);
  CHECK(p.max_tokens == kMaxTokens.neutral);
  CHECK(p.min_tokens == kMinTokens.neutral);
  CHECK(p.n == kN.neutral);
}

TEST_CASE("ids outside the vocabulary are refused by name", "[decode][params]") {
  CHECK(id_message([](auto& p) {
          p.logit_bias = {{5, 0}, {100, 0}};
        }) == "logit_bias: token id 100 is outside the vocabulary of 100");
  CHECK(id_message([](auto& p) { p.allowed_token_ids = {-1}; }).find("allowed_token_ids") == 0);
  CHECK(id_message([](auto& p) { p.stop_token_ids = {100}; }).find("stop_token_ids") == 0);
  CHECK(id_message([](auto& p) { p.logprob_token_ids = {100}; }).find("logprob_token_ids") == 0);
  CHECK(id_message([](auto& p) { p.allowed_token_ids = {0, 99}; }).empty());
}

TEST_CASE("whatever validation lets through is in range, and it names what it does not",
          "[decode][params]") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float values[] = {-kInf, -100.5f, -2.5f, -2,   -1, -1e-9f, 0,   1e-40f, 1e-5f, 0.5f,
                          1,     1.001f,  2,     2.5f, 10, 10.5f,  100, 101,    kInf,  NAN};
  uint64_t position = 0;
  const auto pick = [&] {
    return values[random_bits(1, RngStream::kTest, position++) % std::size(values)];
  };
  const auto pick_int = [&] {
    const float v = pick();
    return std::abs(v) <= 1000 ? int32_t(v) : std::numeric_limits<int32_t>::min();
  };
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    SamplingParams p;
    const int changes = 1 + i % 3;
    for (int c = 0; c < changes; ++c) {
      switch (random_bits(2, RngStream::kTest, position) % 11) {
        case 0:
          p.temperature = pick();
          break;
        case 1:
          p.top_p = pick();
          break;
        case 2:
          p.min_p = pick();
          break;
        case 3:
          p.presence_penalty = pick();
          break;
        case 4:
          p.frequency_penalty = pick();
          break;
        case 5:
          p.repetition_penalty = pick();
          break;
        case 6:
          p.logit_bias.push_back({1, pick()});
          break;
        case 7:
          p.n = pick_int();
          break;
        case 8:
          p.min_tokens = pick_int(), p.max_tokens = pick_int();
          break;
        case 9:
          p.logprobs = pick_int();
          break;
        default:
          p.top_k = pick_int();
          break;
      }
    }
    const Status status = p.validate();
    if (!status.ok()) {
      REQUIRE(status.code() == Code::kInvalidArgument);
      REQUIRE(status.message().find(": ") != std::string::npos);
      continue;
    }
    ++accepted;
    REQUIRE((p.temperature >= 0 && p.temperature <= 2));
    REQUIRE((p.top_p >= 0 && p.top_p <= 1));
    REQUIRE((p.min_p >= 0 && p.min_p <= 1));
    REQUIRE(std::abs(p.presence_penalty) <= 2);
    REQUIRE(std::abs(p.frequency_penalty) <= 2);
    REQUIRE((p.repetition_penalty > 0 && p.repetition_penalty <= 10));
    for (const LogitBias& b : p.logit_bias) REQUIRE(std::abs(b.bias) <= 100);
    REQUIRE((p.n == 1 || (p.n > 1 && !p.is_greedy())));
    REQUIRE((p.min_tokens >= 0 && p.max_tokens >= 0));
    REQUIRE((p.max_tokens == 0 || p.min_tokens <= p.max_tokens));
    REQUIRE((!p.logprobs || (*p.logprobs >= 0 && *p.logprobs <= 20)));
    REQUIRE(p.top_k >= 0);
  }
  CHECK(accepted > 1000);
}
