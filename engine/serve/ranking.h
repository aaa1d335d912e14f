// The ranker that a running engine asks, and how well its answers' lengths are ranked by it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/step/request.h"
#include "scheduler/ranker.h"

namespace tern {

/// For status pages and reports.
struct RankerStats {
  std::string name;          ///< empty: there is no ranker
  uint64_t version = 0;      ///< of its model
  uint64_t num_answers = 0;  ///< that it has scored, and that ended by themselves
  /// Kendall's τ-b of what was expected and what came of the last answers (at most
  /// Ranking::kRecent); none before Ranking::kLeast.
  std::optional<double> tau;
};

/// Any thread.
class Ranking {
 public:
  static constexpr size_t kRecent = 512, kLeast = 30;

  /// Null: none. What was scored by another version is forgotten. False where it is the same one.
  bool use(std::shared_ptr<const Ranker> ranker);

  /// 0 without a ranker.
  uint64_t version() const;

  /// Asks the ranker. The score is unknown without one, and where there is no prompt for it.
  LengthScore score(const Request& request) const;

  /// An answer that was expected to have so many tokens has ended by itself, and has so many.
  void observe(uint64_t version, double expected_tokens, int32_t num_tokens);

  RankerStats stats() const;

 private:
  std::shared_ptr<const Ranker> get() const;

  mutable Mutex mutex_;
  std::shared_ptr<const Ranker> ranker_ TERN_GUARDED_BY(mutex_);
  std::vector<double> expected_ TERN_GUARDED_BY(mutex_), actual_ TERN_GUARDED_BY(mutex_);  // rings
  uint64_t num_answers_ TERN_GUARDED_BY(mutex_) = 0;
  // τ as of so many answers: it is asked for more often than it changes.
  mutable std::optional<double> tau_ TERN_GUARDED_BY(mutex_);
  mutable uint64_t tau_as_of_ TERN_GUARDED_BY(mutex_) = 0;
};

}  // namespace tern
