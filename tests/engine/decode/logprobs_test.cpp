#include "engine/decode/logprobs.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "base/rng.h"

using namespace tern;

namespace {

std::vector<float> random_logits(size_t size, uint64_t seed) {
  std::vector<float> out(size);
  for (size_t i = 0; i < size; ++i)
    out[i] = float(40 * random_uniform(seed, RngStream::kTest, i) - 20);
  return out;
}

// The definition, in long double and without a shift.
std::vector<long double> log_softmax(const std::vector<float>& logits) {
  long double sum = 0;
  for (const float v : logits) sum += std::exp((long double)v);
  std::vector<long double> out;
  for (const float v : logits) out.push_back(v - std::log(sum));
  return out;
}

}  // namespace

TEST_CASE("logprobs are the log-softmax", "[decode][logprobs][EC-29]") {
  for (const size_t size : {1, 2, 50, 32000}) {
    const std::vector<float> logits = random_logits(size, size);
    const std::vector<long double> exact = log_softmax(logits);
    std::vector<int32_t> order(size);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    for (const int32_t chosen : {int32_t(0), int32_t(size / 2), int32_t(size - 1)}) {
      const auto result = compute_logprobs(logits, chosen, 20);
      REQUIRE(result.ok());
      CHECK(std::abs(*result->chosen.logprob - double(exact[chosen])) < 1e-12 * size);
      CHECK(order[result->chosen.rank - 1] == chosen);
      REQUIRE(result->top.size() == std::min<size_t>(size, 20));
      for (size_t r = 0; r < result->top.size(); ++r) {
        CHECK(result->top[r].token_id == order[r]);
        CHECK(result->top[r].rank == int32_t(r) + 1);
        CHECK(std::abs(*result->top[r].logprob - double(exact[order[r]])) < 1e-12 * size);
      }
    }
  }
}

TEST_CASE("of equal logits the lower id ranks first", "[decode][logprobs]") {
  const std::vector<float> logits{1, 2, 2, 1, 2};
  const auto result = compute_logprobs(logits, 4, 4);
  CHECK(result->chosen.rank == 3);
  std::vector<int32_t> ids;
  for (const TokenLogprob& t : result->top) ids.push_back(t.token_id);
  CHECK(ids == std::vector<int32_t>{1, 2, 4, 0});
  CHECK(compute_logprobs(logits, 3, 0)->chosen.rank == 5);
  CHECK(compute_logprobs(logits, 3, 0)->top.empty());
}

TEST_CASE("wanted ids join the alternatives, once each", "[decode][logprobs]") {
  const std::vector<float> logits{0, 1, 2, 3, 4, 5};
  const std::vector<int32_t> wanted{0, 5, 2};
  const auto result = compute_logprobs(logits, 1, 2, wanted);
  std::vector<int32_t> ids, ranks;
  for (const TokenLogprob& t : result->top) ids.push_back(t.token_id), ranks.push_back(t.rank);
  CHECK(ids == std::vector<int32_t>{5, 4, 2, 0});
  CHECK(ranks == std::vector<int32_t>{1, 2, 0, 0});
  CHECK(*result->top[3].logprob == Approx(*result->chosen.logprob - 1));
}

TEST_CASE("logits that are no numbers have no logprobs", "[decode][logprobs]") {
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    for (const size_t at : {0, 3, 7}) {
      std::vector<float> logits(8, 1.0f);
      logits[at] = bad;
      CHECK(compute_logprobs(logits, 1, 3).status().code() == Code::kInternal);
    }
  }
}
