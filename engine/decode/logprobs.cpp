#include "engine/decode/logprobs.h"

#include <algorithm>
#include <cmath>

namespace tern {
namespace {

// The `count` ids that come first in the order of falling logits, then of ids.
std::vector<int32_t> most_probable(std::span<const float> logits, size_t count) {
  std::vector<int32_t> best;
  best.reserve(count + 1);
  if (count == 0) return best;
  const auto before = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  for (int32_t id = 0; id < int32_t(logits.size()); ++id) {
    if (best.size() == count && !before(id, best.back())) continue;
    best.insert(std::upper_bound(best.begin(), best.end(), id, before), id);
    if (best.size() > count) best.pop_back();
  }
  return best;
}

int32_t rank_of(std::span<const float> logits, int32_t id) {
  const float own = logits[id];
  int32_t rank = 1;
  for (const float v : logits) rank += v > own;
  for (int32_t i = 0; i < id; ++i) rank += logits[i] == own;
  return rank;
}

}  // namespace

double log_sum_exp(std::span<const float> v) {
  const double largest = *std::max_element(v.begin(), v.end());
  double sum = 0;
  for (const float x : v) sum += std::exp(x - largest);
  return largest + std::log(sum);
}

Result<TokenLogprobs> compute_logprobs(std::span<const float> logits, int32_t chosen,
                                       int32_t num_top, std::span<const int32_t> others) {
  const double normaliser = log_sum_exp(logits);
  if (!std::isfinite(normaliser))
    return Status(Code::kInternal, "numeric fault: the model's logits are not finite",
                  {.reason = "NUMERIC_FAULT"});
  TokenLogprobs out;
  out.chosen = {chosen, logits[chosen] - normaliser, rank_of(logits, chosen)};
  for (const int32_t id : most_probable(logits, std::min<size_t>(num_top, logits.size())))
    out.top.push_back({id, logits[id] - normaliser, int32_t(out.top.size()) + 1});
  if (others.empty()) return out;

  for (const int32_t id : others) {
    const bool listed = std::any_of(out.top.begin(), out.top.end(),
                                    [id](const TokenLogprob& t) { return t.token_id == id; });
    if (!listed) out.top.push_back({id, logits[id] - normaliser, 0});
  }
  std::stable_sort(
      out.top.begin(), out.top.end(), [](const TokenLogprob& a, const TokenLogprob& b) {
        return *a.logprob != *b.logprob ? *a.logprob > *b.logprob : a.token_id < b.token_id;
      });
  return out;
}

}  // namespace tern
