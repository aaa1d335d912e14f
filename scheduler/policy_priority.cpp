// The named priority classes in turn; within a class first come, first served.
#include "scheduler/arrival_order.h"

namespace tern {

std::unique_ptr<Policy> make_priority(const PolicyConfig&) {
  return std::make_unique<ArrivalOrder>(
      [](const Sequence& seq) { return static_cast<int>(seq.priority); });
}

}  // namespace tern
