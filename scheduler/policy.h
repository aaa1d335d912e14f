// Which waiting sequence starts next, and which running one gives way. A policy owns the waiting
// queue and keeps it in order; budgets, KV blocks and preemption are Scheduler's, for every policy.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduler/config.h"
#include "scheduler/sequence.h"

namespace tern {

/// Keys change only at add() and rescore(), never with the clock: a comparator that reads time
/// breaks its queue. While a sequence waits, the scheduler changes no field that a key may read.
class Policy {
 public:
  virtual ~Policy() = default;

  /// A sequence starts to wait: new, or preempted (num_preemptions > 0), which goes ahead of its
  /// class. O(log n). `now` is the step's time or the arrival, not the clock's: the same inputs
  /// always give the same schedule.
  virtual void add(Sequence& seq, TimePoint now) = 0;

  /// The ranker's score of a waiting sequence has arrived. O(log n). Nothing to do where the order
  /// reads no score.
  virtual void rescore(Sequence&) {}

  /// The waiting sequence to admit next, or null.
  virtual Sequence* next(TimePoint now) = 0;

  /// What next() returned has been admitted: it waits no longer. O(log n).
  virtual void admit(Sequence& seq) = 0;

  /// A waiting sequence was aborted: it is forgotten, and may be destroyed right after. O(log n).
  virtual void remove(Sequence& seq) = 0;

  /// Whether `a` is to be served before `b`: a strict total order over live sequences in any state.
  /// Of the running ones, its last is the first victim. Blind to preemptions: having been resumed
  /// early makes a sequence no better than its neighbours.
  virtual bool before(const Sequence& a, const Sequence& b) const = 0;
};

/// kInvalidArgument where no policy has that name; the message lists those that exist.
Result<std::unique_ptr<Policy>> make_policy(const PolicyConfig& config);

/// All names that make_policy() knows.
std::vector<std::string_view> policy_names();

}  // namespace tern
