#include "engine/decode/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/rng.h"

namespace tern {
namespace {

constexpr float kMasked = -HUGE_VALF;

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

// Only the last token of a bad word is masked, and only where the answer ends with the others.
void mask_bad_words(const std::vector<std::vector<int32_t>>& words, std::span<const int32_t> answer,
                    std::span<float> logits) {
  for (const std::vector<int32_t>& word : words) {
    const size_t before = word.size() - 1;
    if (before > answer.size()) continue;
    if (std::equal(word.begin(), word.end() - 1, answer.end() - before))
      logits[word.back()] = kMasked;
  }
}

// Touches the tokens that have occurred, no others.
void penalize(const SamplingParams& p, const TokenCounts& counts, std::span<float> logits) {
  for (const TokenCounts::Entry& entry : counts.entries()) {
    float& logit = logits[entry.token_id];
    if (logit == kMasked) continue;
    float x = logit >= 0 ? logit / p.repetition_penalty : logit * p.repetition_penalty;
    x -= p.frequency_penalty * float(entry.num_outputs);
    if (entry.num_outputs > 0) x -= p.presence_penalty;
    logit = std::clamp(x, -FLT_MAX, FLT_MAX);  // a tiny repetition_penalty overflows
  }
}

bool changes_logits(const SamplingParams& p, uint64_t position) {
  return p.has_penalties() || !p.logit_bias.empty() || !p.allowed_token_ids.empty() ||
         !p.bad_word_token_ids.empty() || position < uint64_t(p.min_tokens);
}

}  // namespace

Sampler::Sampler(int32_t vocab_size) {
  adjusted_.reserve(vocab_size);
  candidates_.reserve(vocab_size);
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params,
                                const SampleHistory& history) {
  Largest largest = find_largest(logits);
  if (logits.empty() || !largest.finite)
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite",
                  {.reason = "NUMERIC_FAULT"});
  if (changes_logits(params, history.position)) {
    logits = adjust(logits, params, history);
    const auto best = std::max_element(logits.begin(), logits.end());  // the first of equals
    largest = {*best, static_cast<int32_t>(best - logits.begin()), true};
    if (largest.value == kMasked)
      return invalid_argument(
          "allowed_token_ids, bad_words and min_tokens leave no token to continue with");
  }
  if (params.is_greedy()) return largest.id;

  keep_candidates(logits, params, largest.value);
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  double rest = random_uniform(params.seed, RngStream::kSample, history.position) * total;
  for (const Candidate& c : candidates_) {
    rest -= c.probability;
    if (rest < 0) return c.id;
  }
  return candidates_.back().id;  // rounding ate the last of the mass
}

std::span<const float> Sampler::adjust(std::span<const float> logits, const SamplingParams& params,
                                       const SampleHistory& history) {
  if (params.allowed_token_ids.empty()) {
    adjusted_.assign(logits.begin(), logits.end());
  } else {
    adjusted_.assign(logits.size(), kMasked);
    for (const int32_t id : params.allowed_token_ids) adjusted_[id] = logits[id];
  }
  mask_bad_words(params.bad_word_token_ids, history.output_token_ids, adjusted_);
  for (const LogitBias& entry : params.logit_bias) adjusted_[entry.token_id] += entry.bias;
  if (history.position < uint64_t(params.min_tokens))
    for (const int32_t id : history.end_token_ids) adjusted_[id] = kMasked;
  if (params.has_penalties() && history.counts) penalize(params, *history.counts, adjusted_);
  return adjusted_;
}

bool Sampler::more_probable(const Candidate& a, const Candidate& b) {
  return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
}

void Sampler::keep_candidates(std::span<const float> logits, const SamplingParams& params,
                              float largest) {
  candidates_.clear();
  const double scale = 1.0 / params.temperature;
  for (size_t i = 0; i < logits.size(); ++i) {
    // In double and rounded once: the same bits whichever exp the machine's libm picks.
    const float p = float(std::exp((double(logits[i]) - largest) * scale));
    if (p >= params.min_p && p > 0) candidates_.push_back({p, static_cast<int32_t>(i)});
  }
  const bool filtered_by_k = params.top_k > 0 && size_t(params.top_k) < candidates_.size();
  if (filtered_by_k) {
    const auto end = candidates_.begin() + params.top_k;
    std::nth_element(candidates_.begin(), end, candidates_.end(), more_probable);
    candidates_.resize(params.top_k);
    std::sort(candidates_.begin(), candidates_.end(), more_probable);
  }
  if (params.top_p < 1.0f) keep_top_p(params.top_p, filtered_by_k);
}

// Sorts no more than it keeps, in runs that grow: most distributions need one run.
void Sampler::keep_top_p(float top_p, bool sorted) {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.probability;
  size_t num_sorted = sorted ? candidates_.size() : 0, run = 64, kept = 0;
  double mass = 0;
  while (kept < candidates_.size() && (kept == 0 || mass < top_p * total)) {
    if (kept == num_sorted) {
      const auto begin = candidates_.begin() + kept;
      num_sorted = std::min(num_sorted + run, candidates_.size());
      run *= 4;
      const auto end = candidates_.begin() + num_sorted;
      if (end != candidates_.end()) std::nth_element(begin, end, candidates_.end(), more_probable);
      std::sort(begin, end, more_probable);
    }
    mass += candidates_[kept++].probability;
  }
  candidates_.resize(kept);
}

}  // namespace tern
