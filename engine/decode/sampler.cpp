#include "engine/decode/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/rng.h"

namespace tern {
namespace {

constexpr float kGreedyBelow = 1e-5f;

struct Largest {
  float value;
  int32_t id;   // the lowest that has it
  bool finite;  // all values are numbers
};

// In lanes, so that the compiler can use vectors: it runs over the whole vocabulary of every row.
Largest find_largest(std::span<const float> v) {
  constexpr size_t kLanes = 16;
  float best[kLanes];
  int32_t bad[kLanes] = {};
  std::fill_n(best, kLanes, -FLT_MAX);
  const size_t whole = v.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float x = v[i + lane];
      best[lane] = x > best[lane] ? x : best[lane];
      bad[lane] |= !(std::abs(x) <= FLT_MAX);
    }
  }
  Largest largest{-FLT_MAX, 0, true};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    largest.value = std::max(largest.value, best[lane]);
    largest.finite &= !bad[lane];
  }
  for (size_t i = whole; i < v.size(); ++i) {
    largest.value = std::max(largest.value, v[i]);
    largest.finite &= std::abs(v[i]) <= FLT_MAX;
  }
  if (largest.finite)
    largest.id = static_cast<int32_t>(std::find(v.begin(), v.end(), largest.value) - v.begin());
  return largest;
}

}  // namespace

Sampler::Sampler(int32_t vocab_size) {
  candidates_.reserve(vocab_size);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params,
                                uint64_t position) {
  const Largest largest = find_largest(logits);
  if (logits.empty() || !largest.finite)
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite");
  if (params.temperature < kGreedyBelow) return largest.id;

  keep_candidates(logits, params, largest.value);
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double rest = random_uniform(params.seed, RngStream::kSample, position) * total;
  for (const Candidate& c : candidates_) {
    rest -= c.probability;
    if (rest < 0) return c.id;
  }
  return candidates_.back().id;  // rounding ate the last of the mass
}

void Sampler::keep_candidates(std::span<const float> logits, const SamplingParams& params,
                              float largest) {
  candidates_.clear();
  const double scale = 1.0 / params.temperature;
  for (size_t i = 0; i < logits.size(); ++i) {
    // In double and rounded once: the same bits whichever exp the machine's libm picks.
    const float p = float(std::exp((double(logits[i]) - largest) * scale));
    if (p >= params.min_p) candidates_.push_back({p, static_cast<int32_t>(i)});
  }
  const bool filtered_by_k = params.top_k > 0 && size_t(params.top_k) < candidates_.size();
  if (!filtered_by_k && params.top_p >= 1.0f) return;  // ids in order, no sort needed

  const auto more_probable = [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  };
  if (filtered_by_k) {
    std::nth_element(candidates_.begin(), candidates_.begin() + params.top_k, candidates_.end(),
                     more_probable);
    candidates_.resize(params.top_k);
  }
  std::sort(candidates_.begin(), candidates_.end(), more_probable);
  if (params.top_p >= 1.0f) return;
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double mass = 0;
  size_t kept = 0;
  while (kept < candidates_.size() && mass < params.top_p * total)
    mass += candidates_[kept++].probability;
  candidates_.resize(std::max<size_t>(kept, 1));
}

}  // namespace tern
