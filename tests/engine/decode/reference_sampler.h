// What Sampler must draw, without regard to speed: every candidate is sorted, and probabilities are
// those of the C library.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/rng.h"
#include "engine/decode/sampling_params.h"

namespace tern {

/// A token that can be drawn.
struct Candidate {
  float weight = 0;  ///< its probability times an unknown factor
  int32_t id = 0;
};

/// The order in which top_k and top_p keep tokens: of equal weights the lower id first.
inline bool comes_before(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

/// The token of finite logits; masks, bias and penalties are not its matter.
inline int32_t reference_draw(std::span<const float> logits, const SamplingParams& p,
                              uint64_t position) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto weight = float(std::exp((double(logits[i]) - largest) * (1.0 / p.temperature)));
    if (weight >= p.min_p && weight > 0) candidates.push_back({weight, int32_t(i)});
  }
  const bool keeps_k = p.top_k > 0 && size_t(p.top_k) < candidates.size();
  if (keeps_k || p.top_p < 1) std::sort(candidates.begin(), candidates.end(), comes_before);
  if (keeps_k) candidates.resize(p.top_k);
  double total = 0, mass = 0;
  for (const Candidate& c : candidates) total += c.weight;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || p.top_p >= 1 || mass < p.top_p * total))
    mass += candidates[kept++].weight;
  double rest = random_uniform(p.seed, RngStream::kSample, position) * mass;
  for (size_t i = 0; i < kept; ++i) {
    rest -= candidates[i].weight;
    if (rest < 0) return candidates[i].id;
  }
  return candidates[kept - 1].id;
}

}  // namespace tern
