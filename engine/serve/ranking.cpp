#include "engine/serve/ranking.h"

#include <cmath>

#include "engine/ranker/metrics.h"

namespace tern {

bool Ranking::use(std::shared_ptr<const Ranker> ranker) {
  const MutexLock lock(mutex_);
  const bool is_same =
      ranker && ranker_ ? ranker->version() == ranker_->version() : ranker == ranker_;
  if (is_same) return false;
  ranker_ = std::move(ranker);
  expected_.clear();
  actual_.clear();
  num_answers_ = tau_as_of_ = 0;
  tau_.reset();
  return true;
}

std::shared_ptr<const Ranker> Ranking::get() const {
  const MutexLock lock(mutex_);
  return ranker_;
}

uint64_t Ranking::version() const {
  const auto ranker = get();
  return ranker ? ranker->version() : 0;
}

LengthScore Ranking::score(const Request& request) const {
  const auto ranker = get();
  if (!ranker || request.ranked_prompt.empty()) return {};
  const float score =
      ranker->score({.prompt = request.ranked_prompt, .num_turns = request.num_turns});
  return {.expected_tokens = ranker->expected_output_tokens(score),
          .ranker_version = ranker->version()};
}

void Ranking::observe(uint64_t version, double expected_tokens, int32_t num_tokens) {
  if (!std::isfinite(expected_tokens)) return;
  const MutexLock lock(mutex_);
  if (!ranker_ || ranker_->version() != version) return;
  const size_t at = num_answers_++ % kRecent;
  if (at >= expected_.size()) {
    expected_.push_back(expected_tokens);
    actual_.push_back(num_tokens);
  } else {
    expected_[at] = expected_tokens;
    actual_[at] = num_tokens;
  }
}

RankerStats Ranking::stats() const {
  const MutexLock lock(mutex_);
  if (!ranker_) return {};
  if (num_answers_ >= kLeast && num_answers_ >= tau_as_of_ + (tau_ ? kLeast / 2 : 1)) {
    tau_ = kendall_tau_b(expected_, actual_);
    tau_as_of_ = num_answers_;
  }
  return {std::string(ranker_->name()), ranker_->version(), num_answers_, tau_};
}

}  // namespace tern
