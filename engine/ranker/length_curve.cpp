#include "engine/ranker/length_curve.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace tern {
namespace {

constexpr size_t kMaxParts = 20;
constexpr size_t kItemsOfAPart = 8;

// A run of neighbours in the order of scores.
struct Part {
  double count = 0, score = 0, tokens = 0;  // sums

  double mean_score() const { return score / count; }
  double mean_tokens() const { return tokens / count; }
};

// Joins neighbours until both means rise.
void add_rising(std::vector<Part>& parts, Part next) {
  while (!parts.empty() && (parts.back().mean_tokens() >= next.mean_tokens() ||
                            float(parts.back().mean_score()) >= float(next.mean_score()))) {
    next.count += parts.back().count;
    next.score += parts.back().score;
    next.tokens += parts.back().tokens;
    parts.pop_back();
  }
  parts.push_back(next);
}

}  // namespace

Result<LengthCurve> LengthCurve::make(std::vector<LengthKnot> knots) {
  const auto wrong = [](size_t i, const std::string& field, float value, const std::string& rule) {
    return invalid_argument("knot " + std::to_string(i) + ": " + field + ": must be " + rule +
                            ", is " + std::to_string(value));
  };
  if (knots.empty() || knots.size() > size_t(kMaxLengthKnots))
    return invalid_argument("knots: must be 1 to " + std::to_string(kMaxLengthKnots) + ", are " +
                            std::to_string(knots.size()));
  for (size_t i = 0; i < knots.size(); ++i) {
    const LengthKnot& knot = knots[i];
    if (!std::isfinite(knot.score)) return wrong(i, "score", knot.score, "finite");
    if (!(knot.tokens >= 0 && knot.tokens <= kMaxLength))
      return wrong(i, "length", knot.tokens, "0 to " + std::to_string(int64_t(kMaxLength)));
    if (i == 0) continue;
    if (knot.score <= knots[i - 1].score)
      return wrong(i, "score", knot.score, "above " + std::to_string(knots[i - 1].score));
    if (knot.tokens < knots[i - 1].tokens)
      return wrong(i, "length", knot.tokens, "at least " + std::to_string(knots[i - 1].tokens));
  }
  return LengthCurve(std::move(knots));
}

LengthCurve LengthCurve::fit(std::span<const float> scores, std::span<const double> lengths) {
  TERN_CHECK(!scores.empty() && scores.size() == lengths.size(), "a length for each score");
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return scores[i] < scores[j]; });
  const size_t num_parts = std::clamp(order.size() / kItemsOfAPart, size_t{1}, kMaxParts);
  std::vector<Part> parts;
  for (size_t p = 0; p < num_parts; ++p) {
    Part part;
    for (size_t k = order.size() * p / num_parts; k < order.size() * (p + 1) / num_parts; ++k) {
      part.count += 1;
      part.score += scores[order[k]];
      part.tokens += lengths[order[k]];
    }
    add_rising(parts, part);
  }
  std::vector<LengthKnot> knots;
  for (const Part& part : parts)
    knots.push_back({float(part.mean_score()), float(part.mean_tokens())});
  return LengthCurve(std::move(knots));
}

double LengthCurve::tokens(float score) const {
  if (std::isnan(score)) return knots_[knots_.size() / 2].tokens;
  const auto above = std::upper_bound(knots_.begin(), knots_.end(), score,
                                      [](float s, const LengthKnot& k) { return s < k.score; });
  if (above == knots_.begin()) return above->tokens;
  if (above == knots_.end()) return knots_.back().tokens;
  const LengthKnot& below = *(above - 1);
  const double share = (double(score) - below.score) / (double(above->score) - below.score);
  return below.tokens + share * (double(above->tokens) - below.tokens);
}

}  // namespace tern
