#include "bench/simulate/expectations.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <string>

#include "bench/support/random.h"
#include "engine/ranker/metrics.h"
#include "engine/ranker/train.h"

namespace tern::bench {
namespace {

constexpr double kNear = 0.002, kNearEnough = 0.01;
constexpr double kMostSigma = 1e6;
constexpr int kMostHalvings = 60;
constexpr uint64_t kMostDraws = 16;

std::vector<double> lengths_of(const LoadSource& source) {
  std::vector<double> out;
  for (const SourceRow& row : source.rows) out.push_back(row.output_tokens);
  return out;
}

// Standard normal numbers (Box and Muller, 1958).
std::vector<double> draw_noise(size_t count, uint64_t seed) {
  std::vector<double> out(count);
  for (size_t i = 0; i < count; ++i) {
    const double u = 1 - uniform(seed, Draw::kNoise, 2 * i);
    const double v = uniform(seed, Draw::kNoise, 2 * i + 1);
    out[i] = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }
  return out;
}

// One set of draws, louder or softer.
class Noise {
 public:
  Noise(const std::vector<double>& lengths, uint64_t seed)
      : lengths_(lengths), noise_(draw_noise(lengths.size(), seed)), sorted_(lengths) {
    std::ranges::sort(sorted_);
  }

  Expectation at(double sigma) const {
    std::vector<double> keys(lengths_.size());
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = std::log(lengths_[i]) + sigma * noise_[i];
    std::vector<size_t> order(keys.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t i) { return keys[i]; });
    Expectation out{.tokens = std::vector<double>(keys.size())};
    for (size_t rank = 0; rank < order.size(); ++rank) out.tokens[order[rank]] = sorted_[rank];
    out.tau = kendall_tau_b(out.tokens, lengths_);
    return out;
  }

  /// Finds the amplitude whose τ is nearest to `tau`; more noise means a smaller τ, but for chance.
  Expectation find(double tau) const {
    Expectation best = at(0);
    double low = 1e-3, high = kMostSigma;
    for (int i = 0; i < kMostHalvings && std::abs(best.tau - tau) > kNear; ++i) {
      const double sigma = std::sqrt(low * high);
      Expectation tried = at(sigma);
      (tried.tau > tau ? low : high) = sigma;
      if (std::abs(tried.tau - tau) < std::abs(best.tau - tau)) best = std::move(tried);
    }
    return best;
  }

 private:
  const std::vector<double>& lengths_;
  const std::vector<double> noise_;
  std::vector<double> sorted_;
};

Status check_prompts(const LoadSource& source) {
  return source.has_prompts ? Status() : invalid_argument(source.name + ": has no prompts to rank");
}

}  // namespace

Result<Expectation> noisy_expectation(const LoadSource& source, double tau, uint64_t seed) {
  if (!(tau >= 0 && tau <= 1))
    return invalid_argument("tau must be in [0, 1], is " + std::to_string(tau));
  const std::vector<double> lengths = lengths_of(source);
  std::optional<Expectation> best;
  // With few rows, the noise itself has a τ that is not 0: other draws have another.
  for (uint64_t draw = 0; draw < kMostDraws; ++draw) {
    const Noise noise(lengths, random_bits(seed, RngStream::kSimulation, draw));
    Expectation found = noise.find(tau);
    if (!best || std::abs(found.tau - tau) < std::abs(best->tau - tau)) best = std::move(found);
    if (std::abs(best->tau - tau) <= kNearEnough) return *std::move(best);
  }
  return invalid_argument("no noise on the lengths of " + source.name + " gives a tau-b of " +
                          std::to_string(tau) + "; the nearest is " + std::to_string(best->tau));
}

Result<Expectation> cross_fitted_expectation(const LoadSource& source, int32_t num_folds,
                                             uint64_t seed) {
  TERN_TRY(check_prompts(source));
  std::vector<RankExample> examples;
  for (const SourceRow& row : source.rows)
    examples.push_back({row.prompt, double(row.output_tokens)});
  TERN_ASSIGN(OutOfFold fitted, cross_fit(make_rank_set(examples), {}, num_folds, seed));
  Expectation out{.tokens = std::move(fitted.expected_tokens)};
  out.tau = kendall_tau_b(out.tokens, lengths_of(source));
  return out;
}

Result<Expectation> ranked_expectation(const LoadSource& source, const Ranker& ranker) {
  TERN_TRY(check_prompts(source));
  Expectation out;
  for (const SourceRow& row : source.rows)
    out.tokens.push_back(ranker.expected_output_tokens(ranker.score({.prompt = row.prompt})));
  out.tau = kendall_tau_b(out.tokens, lengths_of(source));
  return out;
}

}  // namespace tern::bench
