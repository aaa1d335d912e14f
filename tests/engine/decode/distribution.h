// What sampling must give, written down once more and without regard to speed: textbook steps in
// double, and a goodness-of-fit test.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include "engine/decode/sampler.h"

namespace tern {

/// What a sampler could get wrong.
enum class Mistake {
  kNone,
  kTopKOffByOne,
  kTopPBeforeTopK,
  kMinPBeforeTemperature,
  kPenaltyAfterTemperature,
  kTopPWithoutTheTokenThatReachesIt,
  kPresenceCountsThePrompt,
  kFrequencyCountsOnce,
  kRepetitionMultipliesAll,
  kBiasAfterPenalties,
};

struct History {
  std::vector<int32_t> prompt, output;
};

class ExactDistribution {
 public:
  ExactDistribution(std::span<const float> logits, const SamplingParams& p, const History& history,
                    Mistake mistake = Mistake::kNone)
      : p_(p), mistake_(mistake), x_(logits.begin(), logits.end()) {
    mask();
    if (mistake != Mistake::kBiasAfterPenalties) bias();
    if (mistake != Mistake::kPenaltyAfterTemperature) penalize(history);
    if (mistake == Mistake::kBiasAfterPenalties) bias();
    if (mistake == Mistake::kMinPBeforeTemperature) keep_min_p();
    for (double& v : x_) v /= double(p.temperature);
    if (mistake == Mistake::kPenaltyAfterTemperature) penalize(history);
    if (mistake != Mistake::kMinPBeforeTemperature) keep_min_p();
    if (mistake == Mistake::kTopPBeforeTopK) keep_top_p();
    keep_top_k();
    if (mistake != Mistake::kTopPBeforeTopK) keep_top_p();
  }

  std::vector<double> probabilities() const {
    std::vector<double> out;
    const double largest = *std::max_element(x_.begin(), x_.end());
    for (const double v : x_) out.push_back(std::exp(v - largest));
    const double sum = std::accumulate(out.begin(), out.end(), 0.0);
    for (double& v : out) v /= sum;
    return out;
  }

 private:
  static constexpr double kOut = -std::numeric_limits<double>::infinity();

  void mask() {
    if (p_.allowed_token_ids.empty()) return;
    const std::set<int32_t> allowed(p_.allowed_token_ids.begin(), p_.allowed_token_ids.end());
    for (size_t i = 0; i < x_.size(); ++i)
      if (!allowed.contains(int32_t(i))) x_[i] = kOut;
  }

  void bias() {
    for (const LogitBias& b : p_.logit_bias) x_[b.token_id] += b.bias;
  }

  void penalize(const History& history) {
    std::map<int32_t, int> output;
    for (const int32_t id : history.output) ++output[id];
    std::set<int32_t> seen(history.prompt.begin(), history.prompt.end());
    seen.insert(history.output.begin(), history.output.end());
    for (const int32_t id : seen) {
      const bool multiply = x_[id] < 0 || mistake_ == Mistake::kRepetitionMultipliesAll;
      x_[id] *= multiply ? double(p_.repetition_penalty) : 1 / double(p_.repetition_penalty);
    }
    if (mistake_ == Mistake::kPresenceCountsThePrompt)
      for (const int32_t id : seen) output.try_emplace(id, 0);
    for (const auto& [id, count] : output) {
      const int counted = mistake_ == Mistake::kFrequencyCountsOnce ? std::min(count, 1) : count;
      x_[id] -= double(p_.frequency_penalty) * counted + double(p_.presence_penalty);
    }
  }

  void keep_min_p() {
    const std::vector<double> prob = probabilities();
    const double largest = *std::max_element(prob.begin(), prob.end());
    for (size_t i = 0; i < x_.size(); ++i)
      if (prob[i] < p_.min_p * largest * (1 - 1e-6)) x_[i] = kOut;
  }

  std::vector<size_t> by_probability() const {
    std::vector<size_t> order(x_.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x_[a] > x_[b]; });
    return order;
  }

  void keep_top_k() {
    if (p_.top_k == 0) return;
    const size_t k = size_t(p_.top_k) + (mistake_ == Mistake::kTopKOffByOne);
    const std::vector<size_t> order = by_probability();
    for (size_t r = k; r < order.size(); ++r) x_[order[r]] = kOut;
  }

  void keep_top_p() {
    const std::vector<size_t> order = by_probability();
    const std::vector<double> prob = probabilities();
    const bool short_by_one = mistake_ == Mistake::kTopPWithoutTheTokenThatReachesIt;
    double mass = 0;
    for (size_t r = 0; r < order.size(); ++r) {
      const double reached = short_by_one ? mass + prob[order[r]] : mass;
      if (r > 0 && p_.top_p < 1 && reached >= p_.top_p * (1 - 1e-6)) x_[order[r]] = kOut;
      mass += prob[order[r]];
    }
  }

  const SamplingParams& p_;
  const Mistake mistake_;
  std::vector<double> x_;
};

/// Upper tail of the chi-square distribution: the incomplete gamma function by its series or its
/// continued fraction.
inline double chi_square_p_value(double statistic, int degrees) {
  const double a = degrees / 2.0, x = statistic / 2;
  if (degrees == 0) return statistic == 0 ? 1 : 0;
  if (x <= 0) return 1;
  const double scale = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < 1000; ++n) sum += term *= x / (a + n);
    return 1 - sum * scale;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int n = 1; n < 1000; ++n) {
    b += 2;
    const double an = -n * (n - a);
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= d * c;
  }
  return scale * h;
}

/// How likely such counts are under `expected`; 0 where something impossible was drawn.
inline double goodness_of_fit(std::span<const int> counts, std::span<const double> expected) {
  const int draws = std::accumulate(counts.begin(), counts.end(), 0);
  double statistic = 0;
  int degrees = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double e = expected[i] * draws;
    if (e == 0 && counts[i] > 0) return 0;
    if (e == 0) continue;
    statistic += (counts[i] - e) * (counts[i] - e) / e;
    ++degrees;
  }
  return chi_square_p_value(statistic, degrees);
}

}  // namespace tern
