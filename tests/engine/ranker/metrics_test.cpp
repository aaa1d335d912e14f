// Measures of order, against their O(n²) definitions.
#include "engine/ranker/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "engine/ranker/objective.h"

using namespace tern;

namespace {

double tau_by_definition(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, untied_a = 0, untied_b = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const int sa = (a[i] > a[j]) - (a[i] < a[j]), sb = (b[i] > b[j]) - (b[i] < b[j]);
      difference += sa * sb;
      untied_a += sa != 0;
      untied_b += sb != 0;
    }
  return untied_a > 0 && untied_b > 0 ? difference / std::sqrt(untied_a * untied_b) : 0;
}

double accuracy_by_definition(const std::vector<double>& scores, const std::vector<double>& lengths,
                              double delta) {
  double right = 0, all = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    for (size_t j = 0; j < scores.size(); ++j) {
      if (lengths[i] <= lengths[j] || !passes_delta(lengths[i], lengths[j], delta)) continue;
      all += 1;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  return all > 0 ? right / all : 0.5;
}

// `n` of `kinds` values; few kinds make many ties.
std::vector<double> values(size_t n, uint64_t kinds, uint64_t seed) {
  std::vector<double> result;
  for (size_t i = 0; i < n; ++i)
    result.push_back(double(random_bits(seed, RngStream::kTest, i) % kinds) - double(kinds / 3));
  return result;
}

std::vector<double> lengths_of(size_t n, uint64_t kinds, uint64_t seed) {
  std::vector<double> result = values(n, kinds, seed);
  for (double& value : result) value = std::abs(value);
  return result;
}

}  // namespace

TEST_CASE("Kendall's tau-b is what its definition says", "[ranker]") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const size_t n = seed % 60;
    const std::vector<double> a = values(n, 1 + seed % 17, seed);
    const std::vector<double> b = values(n, 1 + seed % 29, seed + 1000);
    CAPTURE(seed);
    CHECK(kendall_tau_b(a, b) == Approx(tau_by_definition(a, b)).margin(1e-12));
  }
  const std::vector<double> up{1, 2, 3, 4}, down{9, 7, 5, -3}, level{2, 2, 2, 2};
  CHECK(kendall_tau_b(up, up) == 1);
  CHECK(kendall_tau_b(up, down) == -1);
  CHECK(kendall_tau_b(up, level) == 0);
  CHECK(kendall_tau_b({}, {}) == 0);
}

TEST_CASE("tau of many items neither overflows nor is quadratic", "[ranker]") {
  std::vector<double> up(400000);
  std::iota(up.begin(), up.end(), 0.0);
  CHECK(kendall_tau_b(up, up) == Approx(1));
  const std::vector<double> a = values(up.size(), 1u << 30, 1), b = values(up.size(), 1u << 30, 2);
  CHECK(std::abs(kendall_tau_b(a, b)) < 0.01);
}

TEST_CASE("pair accuracy is what its definition says", "[ranker]") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const size_t n = seed % 60;
    const std::vector<double> scores = values(n, 1 + seed % 23, seed);
    const std::vector<double> lengths = lengths_of(n, 1 + seed % 40, seed + 1000);
    for (const double delta : {0.0, 0.2, 0.25, 0.5, 0.9}) {
      CAPTURE(seed, delta);
      CHECK(pair_accuracy(scores, lengths, delta) ==
            Approx(accuracy_by_definition(scores, lengths, delta)).margin(1e-12));
    }
  }
}

TEST_CASE("calibration cuts predictions into equal parts", "[ranker]") {
  std::vector<double> predicted, actual;
  for (int i = 99; i >= 0; --i) {
    predicted.push_back(i);
    actual.push_back(2 * i + 1);
  }
  const std::vector<CalibrationBin> bins = calibration(predicted, actual);
  REQUIRE(bins.size() == 10);
  for (size_t i = 0; i < bins.size(); ++i) {
    CHECK(bins[i].count == 10);
    CHECK(bins[i].predicted == Approx(10 * double(i) + 4.5));
    CHECK(bins[i].actual == Approx(20 * double(i) + 10));
  }
  CHECK(calibration(std::vector<double>{1, 2}, std::vector<double>{3, 4}).size() == 2);
  CHECK(calibration({}, {}).empty());
}
