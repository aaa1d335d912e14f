// First come, first served.
#include "scheduler/policies/arrival_order.h"

namespace tern {

Result<std::unique_ptr<Policy>> make_fcfs(const SchedulerConfig&) {
  return std::unique_ptr<Policy>(std::make_unique<ArrivalOrder>([](const Sequence&) { return 0; }));
}

}  // namespace tern
