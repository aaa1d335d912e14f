#include "engine/decode/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/rng.h"
#include "engine/decode/token_mask.h"

namespace tern {
namespace {

constexpr float kMasked = -HUGE_VALF;

// Whether the answer, `output` and then `drafts`, ends with `word` but its last token.
bool is_begun(const std::vector<int32_t>& word, std::span<const int32_t> output,
              std::span<const int32_t> drafts) {
  const size_t before = word.size() - 1;
  const size_t from_drafts = std::min(before, drafts.size()), from_output = before - from_drafts;
  return from_output <= output.size() &&
         std::equal(word.begin(), word.begin() + from_output, output.end() - from_output) &&
         std::equal(word.begin() + from_output, word.end() - 1, drafts.end() - from_drafts);
}

float penalized(const SamplingParams& p, float logit, int64_t num_outputs) {
  if (logit == kMasked) return logit;
  float x = logit >= 0 ? logit / p.repetition_penalty : logit * p.repetition_penalty;
  x -= p.frequency_penalty * float(num_outputs);
  if (num_outputs > 0) x -= p.presence_penalty;
  return std::clamp(x, -FLT_MAX, FLT_MAX);  // a tiny repetition_penalty overflows
}

// Touches the tokens that have occurred, no others. There are few drafts: they are counted as they
// stand.
void penalize(const SamplingParams& p, const TokenCounts& counts, std::span<const int32_t> drafts,
              std::span<float> logits) {
  for (const TokenCounts::Entry& entry : counts.entries()) {
    const auto in_drafts = std::count(drafts.begin(), drafts.end(), entry.token_id);
    float& logit = logits[entry.token_id];
    logit = penalized(p, logit, entry.num_outputs + in_drafts);
  }
  for (auto draft = drafts.begin(); draft != drafts.end(); ++draft) {
    const bool is_counted = std::find(drafts.begin(), draft, *draft) != draft ||
                            std::any_of(counts.entries().begin(), counts.entries().end(),
                                        [&](const auto& e) { return e.token_id == *draft; });
    if (is_counted) continue;
    logits[*draft] = penalized(p, logits[*draft], std::count(draft, drafts.end(), *draft));
  }
}

bool has_mask(const SamplingParams& p, const SampleHistory& history) {
  return !history.allowed.empty() || !p.allowed_token_ids.empty() ||
         !p.bad_word_token_ids.empty() || history.position < uint64_t(p.min_tokens);
}

// The logits of the tokens that `mask` allows, and of the others kMasked.
void copy_allowed(std::span<const float> logits, std::span<const uint32_t> mask, float* out) {
  for (size_t word = 0; word < mask.size(); ++word) {
    const size_t first = 32 * word, count = std::min<size_t>(32, logits.size() - first);
    const uint32_t bits = mask[word];
    if (bits == ~0u) {
      std::copy_n(logits.begin() + first, count, out + first);
      continue;
    }
    for (size_t i = 0; i < count; ++i) out[first + i] = bits >> i & 1 ? logits[first + i] : kMasked;
  }
}

/// The entries of a row in whole blocks.
int64_t padded(int64_t vocab_size) {
  return WeighLogits::num_blocks(vocab_size) * WeighLogits::kBlock;
}

}  // namespace

Sampler::Sampler(int32_t vocab_size, Isa isa)
    : passes_(&row_passes(isa)), falling_(padded(vocab_size), row_passes(isa)) {
  const auto num_blocks = size_t(WeighLogits::num_blocks(vocab_size));
  // All is in memory from here on, so that no step waits for the system to give it.
  mask_.resize(size_t(mask_words(vocab_size)));
  adjusted_.resize(size_t(vocab_size));
  weights_.resize(size_t(padded(vocab_size)));
  block_sums_.resize(num_blocks);
  block_largest_.resize(num_blocks);
}

size_t Sampler::scratch_bytes(int32_t vocab_size) {
  return FallingWeights::scratch_bytes(padded(vocab_size)) +
         size_t(mask_words(vocab_size)) * sizeof(uint32_t) + size_t(vocab_size) * sizeof(float) +
         size_t(padded(vocab_size)) * sizeof(float) +
         size_t(WeighLogits::num_blocks(vocab_size)) * (sizeof(double) + sizeof(float));
}

Result<int32_t> Sampler::sample(std::span<const float> logits, const SamplingParams& params,
                                const SampleHistory& history) {
  const auto count = static_cast<int64_t>(logits.size());
  LargestLogit largest;
  if (count > 0) largest = passes_->find_largest(logits.data(), count);
  if (!largest.finite)
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite",
                  {.reason = "NUMERIC_FAULT"});
  if (has_mask(params, history) || params.has_penalties() || !params.logit_bias.empty()) {
    logits = adjust(logits, params, history);
    largest = passes_->find_largest(logits.data(), count);
    if (largest.value == kMasked)
      return invalid_argument(
          "allowed_token_ids, bad_words and min_tokens leave no token to continue with");
  }
  if (params.is_greedy()) return largest.id;

  const auto num_blocks = size_t(WeighLogits::num_blocks(count));
  weights_.resize(num_blocks * WeighLogits::kBlock);
  block_sums_.resize(num_blocks);
  block_largest_.resize(num_blocks);
  passes_->weigh({.logits = logits.data(),
                  .count = count,
                  .largest = largest.value,
                  .scale = 1.0 / params.temperature,
                  .min_weight = params.min_p,
                  .weights = weights_.data(),
                  .block_sum = block_sums_.data(),
                  .block_largest = block_largest_.data()});
  total_ = 0;
  for (const double sum : block_sums_) total_ += sum;
  return draw(params, history.position);
}

std::span<const float> Sampler::adjust(std::span<const float> logits, const SamplingParams& params,
                                       const SampleHistory& history) {
  adjusted_.resize(logits.size());
  if (has_mask(params, history)) {
    mask_.resize(mask_words(static_cast<int64_t>(logits.size())));
    fill_mask(params, history);
    copy_allowed(logits, mask_, adjusted_.data());
  } else {
    std::copy(logits.begin(), logits.end(), adjusted_.begin());
  }
  for (const LogitBias& entry : params.logit_bias) adjusted_[entry.token_id] += entry.bias;
  if (params.has_penalties() && history.counts)
    penalize(params, *history.counts, history.draft_token_ids, adjusted_);
  return adjusted_;
}

void Sampler::fill_mask(const SamplingParams& params, const SampleHistory& history) {
  const std::span<const uint32_t> allowed = history.allowed;
  if (!params.allowed_token_ids.empty()) {
    std::fill(mask_.begin(), mask_.end(), 0u);
    for (const int32_t id : params.allowed_token_ids)
      if (allowed.empty() || allows(allowed, id)) allow(mask_, id);
  } else if (allowed.empty()) {
    std::fill(mask_.begin(), mask_.end(), ~0u);
  } else {
    std::copy_n(allowed.begin(), mask_.size(), mask_.begin());
  }
  for (const std::vector<int32_t>& word : params.bad_word_token_ids)
    if (is_begun(word, history.output_token_ids, history.draft_token_ids))
      forbid(mask_, word.back());
  if (history.position < uint64_t(params.min_tokens))
    for (const int32_t id : history.end_token_ids) forbid(mask_, id);
}

int32_t Sampler::draw(const SamplingParams& params, uint64_t position) {
  const double uniform = random_uniform(params.seed, RngStream::kSample, position);
  if (params.top_k == 0 && params.top_p >= 1.0f) return draw_by_id(uniform);
  falling_.assign(weights_, block_largest_, total_);
  std::optional<double> kept;
  if (params.top_k > 0) kept = falling_.keep_first(params.top_k);
  if (params.top_p < 1.0f) return draw_from_top_p(params.top_p * kept.value_or(total_), uniform);
  return kept ? falling_.id_of(falling_.find(uniform * *kept, true)) : draw_by_id(uniform);
}

// Returns the first places whose weights have the sum `least` together.
int32_t Sampler::draw_from_top_p(double least, double uniform) {
  FallingWeights::Place drawn = falling_.find(uniform * least, true);
  // The last place takes the sum beyond `least`, by no more than its weight, which is none larger
  // than that of the place drawn. About every second time this is enough to know the draw.
  if (uniform * (least + drawn.weight) >= drawn.sum()) {
    const double kept = falling_.find(least, false).sum();
    if (uniform * kept >= drawn.sum()) drawn = falling_.find(uniform * kept, true);
  }
  return falling_.id_of(drawn);
}

int32_t Sampler::draw_by_id(double uniform) const {
  double rest = uniform * total_;
  size_t end = 0;  // of the last block that has something to draw
  for (size_t block = 0; block < block_sums_.size(); ++block) {
    if (block_sums_[block] == 0) continue;
    const size_t first = block * WeighLogits::kBlock;
    end = first + WeighLogits::kBlock;
    if (rest >= block_sums_[block]) {
      rest -= block_sums_[block];
      continue;
    }
    for (size_t i = first; i < end; ++i) {
      rest -= weights_[i];
      if (rest < 0) return static_cast<int32_t>(i);
    }
    rest = 0;  // rounding ate the last of the block's mass: the draw is the next id
  }
  while (weights_[end - 1] == 0) --end;
  return static_cast<int32_t>(end - 1);
}

}  // namespace tern
