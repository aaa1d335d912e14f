// Which waiting sequence starts next, whether it may now, and which running one gives way. A policy
// owns the waiting queue and keeps it in order; budgets, KV blocks and preemption are Scheduler's,
// for every policy.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "scheduler/config.h"
#include "scheduler/sequence.h"
#include "scheduler/step_plan.h"

namespace tern {

/// Why a sequence no longer runs.
enum class Leave : uint8_t {
  kFinished,  ///< its answer is whole
  kAborted,   ///< it ended before
  kPutOut,    ///< it was preempted (add() follows) or paused
};

/// What of a waiting sequence is not as it was.
enum class Changed : uint8_t {
  kScore,   ///< expected_output_tokens and ranker_version
  kPrefix,  ///< num_prefix_tokens
};

/// A sequence's place in the order is fixed at add() and rekey(), never moved by the clock: a
/// comparator that reads time breaks its queue. While a sequence waits, the scheduler changes no
/// field that a key may read, but for those that rekey() names.
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

  /// A waiting sequence was aborted or paused: it is forgotten, and may be destroyed right after.
  /// O(log n).
  virtual void remove(Sequence& seq) = 0;

  /// Whether `a` is to be served before `b`: a strict total order over live sequences in any state,
  /// which stands still while both run. The last of the running ones in this order is the first
  /// victim. The order is blind to preemptions: having been resumed early makes a sequence no
  /// better than its neighbours.
  virtual bool before(const Sequence& a, const Sequence& b) const = 0;

  /// How many waiting sequences may be passed over in a step for lack of KV blocks, so that what
  /// fits beside them is admitted (Scheduler says how those that are passed over get theirs).
  virtual int32_t bypass_window() const { return 0; }
  /// What next() returned lacks blocks: it goes on waiting, but next() gives others until
  /// restore().
  virtual void skip(Sequence& seq) { (void)seq; }
  virtual void restore() {}

  /// Whether keys read Sequence::num_prefix_tokens: it is kept up to date then, which costs a look
  /// at the prefix cache for each that waits.
  virtual bool reads_prefix() const { return false; }

  /// Something that a key may read of a waiting sequence has changed. O(log n).
  virtual void rekey(Sequence& seq, Changed what) { (void)seq, (void)what; }

  /// From now on only scores of this version of the ranker's model count; what has others, and
  /// waits, is as unscored. O(n log n).
  virtual void use_ranker(uint64_t version) { (void)version; }

  /// The policy takes over from another, perhaps from one of its own kind with other settings: what
  /// that one has learnt may be kept. Before everything else.
  virtual void inherit(const Policy& previous) { (void)previous; }
  /// A sequence that runs when the policy takes over.
  virtual void adopt(Sequence& seq) { (void)seq; }

  /// What has run leaves, before anything of it is reset. O(log n).
  virtual void left(const Sequence& seq, Leave why) { (void)seq, (void)why; }

  /// A plan, not empty, is about to run.
  virtual void stepped(const StepPlan& plan) { (void)plan; }

  /// What computing a prompt token costs, in output tokens, as the steps so far have shown.
  virtual void learn_prefill_weight(double weight) { (void)weight; }
};

/// A setting of one or several policies, which an operator may set.
struct PolicyKey {
  std::string_view name;  ///< in PolicyConfig::settings; where policies share it, it means the same
  std::string_view doc;   ///< what it means and in which unit, one sentence
  double lowest = 0;
  double highest = 0;
  double fallback = 0;  ///< what counts where it is not set
  bool is_integer = true;
  /// A value outside the range that is allowed too, and has a meaning of its own.
  std::optional<double> besides = {};

  double value(const PolicyConfig& config) const;
  int32_t integer(const PolicyConfig& config) const;
};

/// kInvalidArgument: `why` is what is wrong with the key, whose path in a configuration stands
/// beside it.
Status wrong_setting(std::string_view name, const std::string& why);

/// A row of the table of policies.
struct PolicyInfo {
  std::string_view name;
  std::span<const PolicyKey* const> keys;
  /// kInvalidArgument, naming key, limit and value, where the policy cannot work with its settings.
  Result<std::unique_ptr<Policy>> (*make)(const SchedulerConfig& config);
  bool reads_scores = false;  ///< of a ranker: without it, requests are as unscored
};

/// All policies.
std::span<const PolicyInfo> policies();

/// The keys of all policies, each once, in the order of the table.
std::vector<const PolicyKey*> policy_keys();

/// The policy that `config.policy` names. kInvalidArgument where none has that name (the message
/// lists those that exist), where a setting is unknown, out of its range or another policy's, and
/// what PolicyInfo::make says.
Result<std::unique_ptr<Policy>> make_policy(const SchedulerConfig& config);

}  // namespace tern
