#include "scheduler/policies/expected_length.h"

#include <algorithm>
#include <cmath>

namespace tern {
namespace {

constexpr size_t kRecent = 256;
constexpr size_t kRefresh = 16;  // values between two looks for the median

// A tenant starts with so many imagined wrong hints.
constexpr double kDoubt = 4;
constexpr double kDecay = 0.98;

bool is_length(double tokens) {
  return std::isfinite(tokens) && tokens >= 0;
}

}  // namespace

void RecentMedian::add(double value) {
  if (ring_.size() < kRecent)
    ring_.push_back(value);
  else
    ring_[next_ % kRecent] = value;
  if (next_++ % kRefresh != 0 && ring_.size() >= kRefresh) return;
  std::vector<double> sorted = ring_;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  median_ = *middle;
}

void ExpectedLength::use_ranker(uint64_t version) {
  if (version == version_) return;
  version_ = version;
  scores_ = {};
}

bool ExpectedLength::is_scored(const Sequence& seq) const {
  return seq.ranker_version == version_ && is_length(seq.expected_output_tokens);
}

double ExpectedLength::median() const {
  return std::isnan(scores_.value()) ? lengths_.value() : scores_.value();
}

void ExpectedLength::arrived(const Sequence& seq) {
  if (is_scored(seq)) scores_.add(seq.expected_output_tokens);
}

double ExpectedLength::remaining(const Sequence& seq) const {
  const double most = seq.max_tokens;
  double total = is_scored(seq) ? seq.expected_output_tokens : median();
  if (seq.has_exact_length || std::isnan(total)) total = most;
  if (!seq.has_exact_length && is_length(seq.hinted_output_tokens)) {
    const auto found = hints_.find(seq.tenant);
    const Hints hints = found == hints_.end() ? Hints{} : found->second;
    const double trust = (hints.num_right + 1) / (hints.num + 1 + kDoubt);
    const double hinted = std::log1p(seq.hinted_output_tokens) + hints.log_ratio;
    total = std::expm1((1 - trust) * std::log1p(total) + trust * hinted);
  }
  // An answer that has outrun what was expected is expected to end soon.
  const double left = std::max(total - seq.num_output_tokens(), 1.0);
  return std::clamp(left, 0.0, std::max(most - seq.num_output_tokens(), 0.0));
}

void ExpectedLength::finished(const Sequence& seq) {
  const double length = seq.num_output_tokens();
  lengths_.add(length);
  if (!is_length(seq.hinted_output_tokens) || seq.has_exact_length) return;
  // Where max_tokens has cut an answer that was said to be longer, nothing speaks against the hint.
  if (length >= seq.max_tokens && seq.hinted_output_tokens >= length) return;
  // Forgetting costs the honest their trust for a few requests, and nobody gains by it.
  if (hints_.size() >= kMostTenants && !hints_.contains(seq.tenant)) hints_.clear();
  Hints& hints = hints_[seq.tenant];
  const double ratio = std::log1p(length) - std::log1p(seq.hinted_output_tokens);
  hints.num_right =
      kDecay * hints.num_right + (std::abs(ratio - hints.log_ratio) <= std::log(2.0) ? 1 : 0);
  hints.num = kDecay * hints.num + 1;
  hints.log_ratio += (ratio - hints.log_ratio) / std::min(hints.num + kDoubt, 32.0);
}

}  // namespace tern
