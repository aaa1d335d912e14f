// How well scores order lengths.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

/// Kendall's τ-b of two rankings of the same items, over all pairs: (C − D) / √((n₀ − n₁)(n₀ −
/// n₂)), n₀ all pairs, n₁ and n₂ those tied in `a` and in `b` (Kendall, "The treatment of ties in
/// ranking problems", Biometrika 33, 1945). O(n log n) (Knight, JASA 61, 1966). 0 where one of them
/// is all ties, or of fewer than two items. Sizes are equal, values finite.
double kendall_tau_b(std::span<const double> a, std::span<const double> b);

/// The share of the pairs that pass the δ filter (passes_delta()) whose scores are ordered as their
/// lengths are; equal scores count half. 0.5 where no pair passes. O(n log n).
double pair_accuracy(std::span<const double> scores, std::span<const double> lengths, double delta);

/// Prompts of neighbouring predictions.
struct CalibrationBin {
  int64_t count = 0;
  double predicted = 0;  ///< mean
  double actual = 0;     ///< mean
};

/// The items in order of their predicted length, cut into `num_bins` parts of equal size (fewer
/// where there are fewer items).
std::vector<CalibrationBin> calibration(std::span<const double> predicted,
                                        std::span<const double> actual, int num_bins = 10);

}  // namespace tern
