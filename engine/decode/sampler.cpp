#include "engine/decode/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/rng.h"

namespace tern {
namespace {

constexpr float kGreedyBelow = 1e-5f;

// All logits are finite numbers. A loop without branches: it runs over the whole vocabulary.
bool all_finite(std::span<const float> logits) {
  bool finite = true;
  for (const float v : logits) finite &= std::abs(v) <= FLT_MAX;
  return finite;
}

}  // namespace

Sampler::Sampler(int32_t vocab_size) {
  candidates_.reserve(vocab_size);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params,
                                uint64_t position) {
  if (logits.empty() || !all_finite(logits))
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite");
  const auto best = std::max_element(logits.begin(), logits.end());
  if (params.temperature < kGreedyBelow) return static_cast<int32_t>(best - logits.begin());

  keep_candidates(logits, params, *best);
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
