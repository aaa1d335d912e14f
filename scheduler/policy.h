// Which waiting sequence starts next, whether it may now, and which running one gives way. A policy
// owns the waiting queue and keeps it in order; budgets, KV blocks and preemption are Scheduler's,
// for every policy.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduler/config.h"
#include "scheduler/sequence.h"

namespace tern {

/// A sequence's place in the order is fixed at add(), never moved by the clock: a comparator that
/// reads time breaks its queue. While a sequence waits, the scheduler changes no field that a key
/// may read.
class Policy {
 public:
  virtual ~Policy() = default;

  /// A sequence starts to wait: new, or preempted (num_preemptions > 0), which goes ahead of its
  /// class. O(log n). `now` is the step's time or the arrival, not the clock's: the same inputs
  /// always give the same schedule.
  virtual void add(Sequence& seq, TimePoint now) = 0;

  /// The waiting sequence to admit next, or null.
  virtual Sequence* next(TimePoint now) = 0;

  /// Whether `seq`, which next() gave, may take one of the `num_places` (at least 1) that the
  /// sequences of `running` leave of max_num_seqs. Where it may not, nothing is admitted in this
  /// step. Asked only while something runs, so that a refusal never stops everything.
  virtual bool may_admit(const Sequence& seq, std::span<const Sequence* const> running,
                         int32_t num_places) const {
    (void)seq, (void)running, (void)num_places;
    return true;
  }

  /// What next() returned has been admitted: it waits no longer. O(log n).
  virtual void admit(Sequence& seq) = 0;

  /// A waiting sequence was aborted: it is forgotten, and may be destroyed right after. O(log n).
  virtual void remove(Sequence& seq) = 0;

  /// Whether `a` is to be served before `b`: a strict total order over live sequences in any state.
  /// The last of the running ones in this order is the first victim. The order is blind to
  /// preemptions: having been resumed early makes a sequence no better than its neighbours.
  virtual bool before(const Sequence& a, const Sequence& b) const = 0;
};

/// A setting of one policy: a whole number that an operator may set.
struct PolicyKey {
  std::string_view name;  ///< in PolicyConfig::settings; no other policy has a key of this name
  std::string_view doc;   ///< what it means, one sentence
  int32_t lowest = 0;
  int32_t highest = 0;
  int32_t fallback = 0;  ///< what counts where it is not set

  int32_t value(const PolicyConfig& config) const;
};

/// kInvalidArgument: `why` is what is wrong with the key, whose path in a configuration stands
/// beside it.
Status wrong_setting(std::string_view name, const std::string& why);

/// A row of the table of policies.
struct PolicyInfo {
  std::string_view name;
  std::span<const PolicyKey> keys;
  /// kInvalidArgument, naming key, limit and value, where the policy cannot work with its settings.
  Result<std::unique_ptr<Policy>> (*make)(const SchedulerConfig& config);
};

/// All policies.
std::span<const PolicyInfo> policies();

/// The policy that `config.policy` names. kInvalidArgument where none has that name (the message
/// lists those that exist), where a setting is unknown, out of its range or another policy's, and
/// what PolicyInfo::make says.
Result<std::unique_ptr<Policy>> make_policy(const SchedulerConfig& config);

}  // namespace tern
