#include "engine/ranker/objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace tern {

double relative_difference(double a, double b) {
  const double longest = std::max(a, b);
  return longest > 0 ? std::abs(a - b) / longest : 0;
}

bool passes_delta(double a, double b, double delta) {
  return a != b && relative_difference(a, b) >= delta;
}

double hinge_loss(std::span<const double> scores, std::span<const double> lengths, double margin,
                  std::span<double> gradient) {
  const size_t num_pairs = scores.size() / 2;
  const double share = 1 / double(num_pairs);
  double loss = 0;
  for (size_t i = 0; i < num_pairs; ++i) {
    const size_t a = 2 * i, b = a + 1;
    const double y = lengths[a] > lengths[b] ? 1 : -1;
    const double hinge = margin - y * (scores[a] - scores[b]);
    loss += std::max(0.0, hinge) * share;
    gradient[a] = hinge > 0 ? -y * share : 0;
    gradient[b] = -gradient[a];
  }
  return loss;
}

double log_length_loss(std::span<const double> scores, std::span<const double> lengths,
                       double offset, std::span<double> gradient) {
  const double share = 1 / double(scores.size());
  double loss = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double error = scores[i] + offset - std::log1p(lengths[i]);
    loss += 0.5 * error * error * share;
    gradient[i] = error * share;
  }
  return loss;
}

double list_mle_loss(std::span<const double> scores, std::span<const double> lengths,
                     std::span<double> gradient) {
  const size_t n = scores.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return lengths[i] > lengths[j]; });
  const double highest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> rest(n);  // sums of e^score from place k to the last
  double sum = 0;
  for (size_t k = n; k-- > 0;) rest[k] = sum += std::exp(scores[order[k]] - highest);
  double loss = 0, inverse = 0;
  for (size_t k = 0; k < n; ++k) {
    const size_t i = order[k];
    loss += (std::log(rest[k]) + highest - scores[i]) / double(n);
    inverse += 1 / rest[k];
    gradient[i] = (std::exp(scores[i] - highest) * inverse - 1) / double(n);
  }
  return loss;
}

}  // namespace tern
