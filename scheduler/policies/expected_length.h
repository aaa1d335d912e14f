// How long answers are thought to be: rankers' scores, clients' hints, and what came of them.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/sequence.h"

namespace tern {

/// The last values that it was told, and their median.
class RecentMedian {
 public:
  void add(double value);
  /// NaN before the first value. It may be some values old.
  double value() const { return median_; }

 private:
  std::vector<double> ring_;
  size_t next_ = 0;
  double median_ = kUnknown;
};

/// Expected lengths in tokens. One thread.
///
/// A sequence counts as what its ranker says, where that is of the current version, else as the
/// median of the recently scored ones (of the recently finished answers, where none was scored): in
/// the middle of the queue, first come first served. A client's hint moves this as far as the hints
/// of its tenant were right: at first a little, and not at all where they are mostly wrong.
/// max_tokens bounds all of it.
class ExpectedLength {
 public:
  /// Tokens that are still to come, in [0, max_tokens]; max_tokens where nothing is known.
  double remaining(const Sequence& seq) const;

  void arrived(const Sequence& seq);
  /// Its answer is whole.
  void finished(const Sequence& seq);

  /// Scores of other versions, those that the median is made of too, count no longer.
  void use_ranker(uint64_t version);
  bool is_scored(const Sequence& seq) const;
  /// Returns the median of the scores, else of the answers; NaN where neither has been seen.
  double median() const;

 private:
  // How a tenant's hints came true. A right one is at most twice too long or too short.
  struct Hints {
    double num_right = 0, num = 0;  // older ones count less
    double log_ratio = 0;           // mean of log(length / hint)
  };
  static constexpr size_t kMostTenants = 4096;

  RecentMedian scores_, lengths_;
  std::unordered_map<std::string, Hints> hints_;
  uint64_t version_ = 0;
};

}  // namespace tern
