// Losses and the filter of pairs, against their definitions.
#include "engine/ranker/objective.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "base/rng.h"

using namespace tern;

namespace {

using Loss = double (*)(std::span<const double>, std::span<const double>, std::span<double>);

double hinge(std::span<const double> scores, std::span<const double> lengths,
             std::span<double> gradient) {
  return hinge_loss(scores, lengths, 1, gradient);
}

double log_length(std::span<const double> scores, std::span<const double> lengths,
                  std::span<double> gradient) {
  return log_length_loss(scores, lengths, 0.7, gradient);
}

std::vector<double> random_values(size_t n, uint64_t seed, double scale) {
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i)
    values.push_back(scale * random_uniform(seed, RngStream::kTest, i));
  return values;
}

// The largest difference of `loss`'s gradient from central differences.
double gradient_error(Loss loss, std::vector<double> scores, const std::vector<double>& lengths) {
  std::vector<double> gradient(scores.size(), std::nan("")), ignored(scores.size());
  loss(scores, lengths, gradient);
  constexpr double kStep = 1e-6;
  double worst = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double at = scores[i];
    scores[i] = at + kStep;
    const double above = loss(scores, lengths, ignored);
    scores[i] = at - kStep;
    const double below = loss(scores, lengths, ignored);
    scores[i] = at;
    worst = std::max(worst, std::abs((above - below) / (2 * kStep) - gradient[i]));
  }
  return worst;
}

}  // namespace

TEST_CASE("pairs pass the filter by their relative difference", "[ranker]") {
  CHECK_FALSE(passes_delta(10, 11, 0.2));  // PARS with 0.2 keeps two of these three pairs
  CHECK(passes_delta(10, 100, 0.2));
  CHECK(passes_delta(11, 100, 0.2));
  CHECK(passes_delta(80, 100, 0.2));  // exactly at the limit
  CHECK_FALSE(passes_delta(81, 100, 0.2));
  CHECK(relative_difference(0, 0) == 0);
  CHECK_FALSE(passes_delta(0, 0, 0));
  CHECK(passes_delta(0, 1, 0.99));
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto a = double(random_bits(1, RngStream::kTest, i) % 200);
    const auto b = double(random_bits(2, RngStream::kTest, i) % 200);
    for (const double delta : {0.0, 0.2, 0.5}) {
      CHECK(passes_delta(a, b, delta) == passes_delta(b, a, delta));
      CHECK_FALSE(passes_delta(a, a, delta));
    }
  }
}

TEST_CASE("the hinge of one pair is the paper's", "[ranker]") {
  std::vector<double> gradient(2);
  const std::vector<double> scores{0.2, 0.5};
  CHECK(hinge_loss(scores, std::vector<double>{20, 10}, 1, gradient) == Approx(1.3));
  CHECK(gradient == std::vector<double>{-1, 1});  // going down raises the longer one's score
  CHECK(hinge_loss(scores, std::vector<double>{10, 20}, 1, gradient) == Approx(0.7));
  CHECK(gradient == std::vector<double>{1, -1});
  CHECK(hinge_loss(scores, std::vector<double>{10, 20}, 0.25, gradient) == 0);
  CHECK(gradient == std::vector<double>{0, 0});
}

TEST_CASE("gradients agree with finite differences", "[ranker]") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<double> scores = random_values(32, seed, 3);
    std::vector<double> lengths = random_values(32, seed + 100, 500);
    CAPTURE(seed);
    // A difference across a corner of the hinge would be wrong; it takes 1e-6 of luck.
    CHECK(gradient_error(hinge, scores, lengths) < 1e-6);
    CHECK(gradient_error(log_length, scores, lengths) < 1e-6);
    CHECK(gradient_error(list_mle_loss, scores, lengths) < 1e-6);
    lengths[3] = lengths[17] = 0;
    CHECK(gradient_error(log_length, scores, lengths) < 1e-6);
    CHECK(gradient_error(list_mle_loss, scores, lengths) < 1e-6);
  }
}

TEST_CASE("ListMLE is the probability of the right order", "[ranker]") {
  std::vector<double> gradient(3);
  const std::vector<double> scores{1, 3, 2}, lengths{10, 30, 20};
  const double e1 = std::exp(1), e2 = std::exp(2), e3 = std::exp(3);
  const double probability = e3 / (e1 + e2 + e3) * e2 / (e1 + e2);
  CHECK(list_mle_loss(scores, lengths, gradient) == Approx(-std::log(probability) / 3));
  // Large scores neither overflow nor change it.
  const std::vector<double> high{1001, 1003, 1002};
  CHECK(list_mle_loss(high, lengths, gradient) == Approx(-std::log(probability) / 3));
}
