#include "bench/simulate/expectations.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "bench/simulate/experiment.h"
#include "bench/support/random.h"

using namespace tern;
using namespace tern::bench;
using Catch::Contains;

namespace {

LoadSource random_lengths(size_t count) {
  LoadSource source{.name = "random"};
  for (size_t i = 0; i < count; ++i)
    source.rows.push_back({.output_tokens = 1 + int32_t(std::exp(7 * uniform(3, Draw::kRow, i)))});
  return source;
}

// Kendall's τ-b by its definition, over all pairs.
double slow_tau(const std::vector<double>& a, const LoadSource& source) {
  double sum = 0, untied_a = 0, untied_b = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const int x = (a[i] > a[j]) - (a[i] < a[j]);
      const int32_t li = source.rows[i].output_tokens, lj = source.rows[j].output_tokens;
      const int y = (li > lj) - (li < lj);
      sum += x * y;
      untied_a += x != 0;
      untied_b += y != 0;
    }
  return sum / std::sqrt(untied_a * untied_b);
}

}  // namespace

TEST_CASE("noise has the tau that is asked for", "[bench][simulate][expectations]") {
  const LoadSource source = random_lengths(700);
  for (const double tau : {0.0, 0.26, 0.46, 0.63, 0.95, 1.0}) {
    const auto told = noisy_expectation(source, tau, 5);
    REQUIRE(told.ok());
    CHECK(told->tau == Approx(tau).margin(0.01));
    CHECK(slow_tau(told->tokens, source) == Approx(told->tau).margin(1e-9));
    // The true lengths in another order.
    std::multiset<double> expected, is(told->tokens.begin(), told->tokens.end());
    for (const SourceRow& row : source.rows) expected.insert(row.output_tokens);
    CHECK(is == expected);
  }
  CHECK(noisy_expectation(source, 0.5, 1)->tokens == noisy_expectation(source, 0.5, 1)->tokens);
  CHECK(noisy_expectation(source, 0.5, 1)->tokens != noisy_expectation(source, 0.5, 2)->tokens);
}

TEST_CASE("what noise cannot give is refused", "[bench][simulate][expectations]") {
  LoadSource source{.name = "two", .rows = {{.output_tokens = 1}, {.output_tokens = 2}}};
  CHECK_THAT(noisy_expectation(source, 0.5, 0).status().message(),
             Contains("two") && Contains("0.5"));
  CHECK_THAT(noisy_expectation(source, 1.5, 0).status().message(), Contains("[0, 1]"));
  CHECK_THAT(noisy_expectation(source, NAN, 0).status().message(), Contains("[0, 1]"));
}

TEST_CASE("cross-fitted: no prompt is scored by who has seen it",
          "[bench][simulate][expectations]") {
  // Each prompt says its length in words that many share, and has a name that nobody else has. The
  // lengths of every 40th are wrong: a ranker that had seen one of these would know it by its name.
  LoadSource source{.name = "words", .has_prompts = true};
  for (int i = 0; i < 400; ++i) {
    const bool is_long = i % 2 == 0;
    const bool is_wrong = i % 40 < 2;
    source.rows.push_back(
        {.output_tokens = (is_long != is_wrong ? 800 : 20) + i % 7,
         .prompt = std::string(is_long ? "write an essay about" : "one word for") + " thing" +
                   std::to_string(i)});
  }
  const auto told = cross_fitted_expectation(source, 5, 1);
  REQUIRE(told.ok());
  CHECK(told->tau > 0.4);
  int num_fooled = 0;
  for (int i = 0; i < 400; ++i) num_fooled += i % 40 < 2 && (told->tokens[i] > 400) == (i % 2 == 0);
  CHECK(num_fooled == 20);
  CHECK_THAT(cross_fitted_expectation(random_lengths(10), 5, 0).status().message(),
             Contains("no prompts"));
}

TEST_CASE("policies see what is told, the oracle the truth", "[bench][simulate][expectations]") {
  Experiment e;
  e.source = random_lengths(200);
  for (SourceRow& row : e.source.rows) row.output_tokens = std::min(row.output_tokens, 300);
  e.seeds = {1};
  e.loads = {1.5};
  e.num_requests = 300;
  e.scheduler = {.max_num_seqs = 4,
                 .num_blocks = 1000,
                 .block_size = 16,
                 .max_model_len = 400,
                 .enable_prefix_caching = false};
  e.simulation = {.cost = {Seconds(0.01), Seconds(0), Seconds(0)}, .max_tokens = 300};
  e.capacity = capacity_of(e.source, 4, e.simulation.cost);
  for (const char* policy : {"fcfs", "pars:starve_s=0", "oracle:starve_s=0"})
    e.policies.push_back(*parse_sim_policy(policy));
  const auto per_token = [&](double tau) {
    e.expected = {noisy_expectation(e.source, tau, 1)->tokens};
    const auto result = run_experiment(e, {});
    REQUIRE(result.ok());
    std::vector<double> out;
    for (const ExperimentMedian& m : result->medians) out.push_back(m.figures.mean_per_token_ms);
    return out;
  };
  const std::vector<double> right = per_token(1), rough = per_token(0.4);
  CHECK(right[0] == rough[0]);       // fcfs reads nothing
  CHECK(right[2] == rough[2]);       // the oracle is told by clients
  CHECK(right[1] < 0.6 * right[0]);  // short answers first
  CHECK(right[1] < rough[1]);        // better, the better it is told
  CHECK(rough[1] < right[0]);
}
