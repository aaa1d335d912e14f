#include "engine/decode/sampler.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

using namespace tern;

namespace {

const std::vector<float> kLogits{1.5f, -0.5f, 2.0f, 0.0f, 1.5f, -3.0f, 0.7f, 1.9f};

// Independent of the sampler: sort, filter by the textbook, renormalise.
std::vector<double> exact_distribution(const SamplingParams& p) {
  const size_t n = kLogits.size();
  std::vector<double> prob(n);
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += prob[i] = std::exp(kLogits[i] / double(p.temperature));
  for (double& v : prob) v /= sum;
  const double largest = *std::max_element(prob.begin(), prob.end());
  for (double& v : prob)
    if (v < p.min_p * largest * (1 - 1e-9)) v = 0;
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return prob[a] > prob[b]; });
  if (p.top_k > 0)
    for (size_t r = p.top_k; r < n; ++r) prob[order[r]] = 0;
  sum = std::accumulate(prob.begin(), prob.end(), 0.0);
  double mass = 0;
  for (size_t r = 0; r < n; ++r) {
    if (mass >= p.top_p * sum * (1 - 1e-9) && r > 0) prob[order[r]] = 0;
    mass += prob[order[r]];
  }
  sum = std::accumulate(prob.begin(), prob.end(), 0.0);
  for (double& v : prob) v /= sum;
  return prob;
}

double chi_square(const SamplingParams& params, int draws, int& degrees) {
  Sampler sampler(static_cast<int32_t>(kLogits.size()));
  std::vector<int> counts(kLogits.size());
  SamplingParams p = params;
  for (int i = 0; i < draws; ++i) {
    p.seed = i;
    ++counts[*sampler.sample(kLogits, p, 5)];
  }
  const std::vector<double> expected = exact_distribution(params);
  double statistic = 0;
  degrees = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] == 0) {
      REQUIRE(counts[i] == 0);
      continue;
    }
    const double e = expected[i] * draws;
    statistic += (counts[i] - e) * (counts[i] - e) / e;
    ++degrees;
  }
  return statistic;
}

}  // namespace

TEST_CASE("draws follow the exact distribution of every filter", "[decode][sampler]") {
  std::vector<SamplingParams> cases(9);
  cases[1].temperature = 0.5f;
  cases[2].temperature = 1.8f;
  cases[3].top_k = 3;
  cases[4].top_p = 0.6f;
  cases[5].min_p = 0.3f;
  cases[6].top_k = 4, cases[6].top_p = 0.8f;
  cases[7].temperature = 1.3f, cases[7].min_p = 0.2f, cases[7].top_p = 0.9f;
  cases[8].top_k = 1;
  // Upper 1e-4 quantiles of chi-square by degrees of freedom 0 … 7.
  const double limit[] = {1e-9, 15.2, 18.5, 21.2, 23.6, 25.8, 27.9, 29.9};
  for (size_t c = 0; c < cases.size(); ++c) {
    int degrees = 0;
    const double statistic = chi_square(cases[c], 20000, degrees);
    CAPTURE(c, degrees, statistic);
    CHECK(statistic <= limit[degrees]);
  }
}

TEST_CASE("greedy takes the lowest id among the largest", "[decode][sampler]") {
  Sampler sampler(8);
  SamplingParams greedy;
  greedy.temperature = 0;
  CHECK(*sampler.sample(kLogits, greedy, 0) == 2);
  CHECK(*sampler.sample(std::vector<float>{1, 3, 3, 2}, greedy, 0) == 1);
}

TEST_CASE("greedy finds the largest wherever it stands", "[decode][sampler]") {
  Sampler sampler(100);
  SamplingParams greedy;
  greedy.temperature = 0;
  for (const size_t size : {1, 2, 15, 16, 17, 31, 32, 33, 100}) {
    for (size_t at = 0; at < size; ++at) {
      std::vector<float> logits(size, -5.0f);
      logits[at] = -1.0f;
      REQUIRE(*sampler.sample(logits, greedy, 0) == int32_t(at));
      logits[size - 1] = -1.0f;  // a tie goes to the lower id
      REQUIRE(*sampler.sample(logits, greedy, 0) == int32_t(at));
      logits[at] = std::nanf("");
      REQUIRE(!sampler.sample(logits, greedy, 0).ok());
    }
  }
}

TEST_CASE("a draw depends on seed and position alone", "[decode][sampler]") {
  Sampler one(8), two(8);
  SamplingParams p;
  for (uint64_t position = 0; position < 100; ++position) {
    p.seed = 42;
    const int32_t a = *one.sample(kLogits, p, position);
    p.seed = position;  // another request in between
    (void)*one.sample(kLogits, p, 3);
    p.seed = 42;
    REQUIRE(*two.sample(kLogits, p, position) == a);
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
      const Result<int32_t> token = sampler.sample(logits, p, 0);
      REQUIRE(!token.ok());
      CHECK(token.status().code() == Code::kInternal);
    }
  }
}

TEST_CASE("parameters out of range are refused by name", "[decode][sampler]") {
  const auto message = [](auto change) {
    SamplingParams p;
    change(p);
    return p.validate().message();
  };
  CHECK(message([](auto& p) { p.temperature = -0.1f; }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.temperature = 2.1f; }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.temperature = std::nanf(""); }).find("temperature") == 0);
  CHECK(message([](auto& p) { p.top_p = 0; }).find("top_p") == 0);
  CHECK(message([](auto& p) { p.top_p = 1.01f; }).find("top_p") == 0);
  CHECK(message([](auto& p) { p.min_p = -1; }).find("min_p") == 0);
  CHECK(message([](auto& p) { p.top_k = -1; }).find("top_k") == 0);
  CHECK(message([](auto& p) { p.max_tokens = -5; }).find("max_tokens") == 0);
  CHECK(message([](auto& p) { p.stop = {"ok", ""}; }).find("stop") == 0);
  CHECK(SamplingParams{}.validate().ok());
}
