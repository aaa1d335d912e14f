// What a ranker is trained for: losses over scores, with their gradients.
#pragma once

#include <span>

namespace tern {

enum class RankObjective {
  kPairwise,   ///< of two answers, say which is longer (PARS)
  kPointwise,  ///< say the logarithm of the length
  kListwise,   ///< say the order of many answers (ListMLE)
};

/// |a − b| / max(a, b) of two lengths, which are not negative; 0 where both are 0.
double relative_difference(double a, double b);

/// Whether a pair of lengths tells which prompt's answer is longer: they differ, by a share of at
/// least `delta`. That is PARS's filter (arXiv 2510.03243) against pairs that differ by chance: two
/// answers to one prompt do, too. Symmetric.
bool passes_delta(double a, double b, double delta);

/// The losses below take the scores of a batch and the lengths in the same order, write
/// dloss/dscore to `gradient` and return the loss, a mean.

/// Pairs stand at 2i and 2i + 1 and differ in length: mean of max(0, margin − y (s₂ᵢ − s₂ᵢ₊₁)),
/// with y = 1 where the first is longer, else −1.
double hinge_loss(std::span<const double> scores, std::span<const double> lengths, double margin,
                  std::span<double> gradient);

/// Mean of ½ (s + offset − log(1 + length))².
double log_length_loss(std::span<const double> scores, std::span<const double> lengths,
                       double offset, std::span<double> gradient);

/// The batch is one list: −1/n of the log-probability, by Plackett and Luce, of its order from the
/// longest to the shortest; equal lengths in the order they stand (Xia et al., "Listwise approach
/// to learning to rank", ICML 2008).
double list_mle_loss(std::span<const double> scores, std::span<const double> lengths,
                     std::span<double> gradient);

}  // namespace tern
