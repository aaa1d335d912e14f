// Who may wait for the engine: caps, deadlines, priority classes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "base/status.h"
#include "engine/serve/engine.h"
#include "engine/step/load_predictor.h"

namespace tern {

/// The queue in front of the scheduler, as far as it decides about newcomers. Whoever owns it keeps
/// threads apart.
class AdmissionControl {
 public:
  explicit AdmissionControl(const QueueLimits& limits) : limits_(limits) {}

  /// What admit() decided besides its status.
  struct Decision {
    Status status;
    std::optional<uint64_t> shed;  ///< a queued request of a later class that must give way now
  };

  /// Takes the request `id` into the queue, or says why not: kResourceExhausted with QUEUE_FULL,
  /// QUEUE_TOKENS_FULL, or DEADLINE_INFEASIBLE (its first tokens would come after its deadline),
  /// each with a retry_after from `predictor`; kDeadlineExceeded where that has passed. Where the
  /// queue is full and one of a later class waits in it, the newest of the last class gives way.
  Decision admit(uint64_t id, const Request& request, TimePoint now, const LoadPredictor& predictor,
                 const SchedulerStats& scheduler);

  /// The request has left the queue, or ended in it. Ids that do not wait are ignored.
  void leave(uint64_t id);

  /// Aborts the process where its sums and sets disagree. For tests.
  void check_invariants() const;

  const QueueLoad& load() const { return load_; }
  const QueueLimits& limits() const { return limits_; }
  void set_limits(const QueueLimits& limits) { limits_ = limits; }

 private:
  struct Waiting {
    PriorityClass priority;
    int64_t num_tokens;
  };

  Status check_deadline(const Request& request, TimePoint now, const LoadPredictor& predictor,
                        const SchedulerStats& scheduler) const;
  Status check_room(PriorityClass priority, int64_t num_tokens, const QueueLoad& load,
                    Seconds queue_time) const;
  std::optional<uint64_t> newest_after(PriorityClass priority) const;

  QueueLimits limits_;
  QueueLoad load_;
  std::map<uint64_t, Waiting> waiting_;
  std::array<std::set<uint64_t>, 4> by_class_;  // of waiting_, by PriorityClass
};

}  // namespace tern
