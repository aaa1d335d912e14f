#include "scheduler/policies/arrival_order.h"

namespace tern {

ArrivalOrder::Key ArrivalOrder::key(const Sequence& seq) const {
  return {class_of_(seq), seq.num_preemptions == 0, seq.arrival, seq.id};
}

void ArrivalOrder::add(Sequence& seq, TimePoint) {
  waiting_.emplace(key(seq), &seq);
}

Sequence* ArrivalOrder::next(TimePoint) {
  return waiting_.empty() ? nullptr : waiting_.begin()->second;
}

void ArrivalOrder::admit(Sequence& seq) {
  remove(seq);
}

void ArrivalOrder::remove(Sequence& seq) {
  TERN_CHECK(waiting_.erase(key(seq)) == 1, "the policy does not hold this sequence");
}

bool ArrivalOrder::before(const Sequence& a, const Sequence& b) const {
  return std::tuple(class_of_(a), a.arrival, a.id) < std::tuple(class_of_(b), b.arrival, b.id);
}

}  // namespace tern
