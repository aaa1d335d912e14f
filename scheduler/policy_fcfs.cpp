// First come, first served.
#include "scheduler/arrival_order.h"

namespace tern {

std::unique_ptr<Policy> make_fcfs(const PolicyConfig&) {
  return std::make_unique<ArrivalOrder>([](const Sequence&) { return 0; });
}

}  // namespace tern
