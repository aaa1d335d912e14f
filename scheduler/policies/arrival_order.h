// The common body of policies that serve by arrival within fixed classes.
#pragma once

#include <map>
#include <tuple>

#include "scheduler/policy.h"

namespace tern {

/// Order of service: class (smallest first), arrival, id.
///
/// The waiting queue puts preempted sequences ahead of the others of their class. By arrival alone
/// they would nearly always be there anyway, as they were admitted before all that wait; but a
/// sequence may be added with an earlier arrival than one that already runs, and must not overtake
/// it when that one is preempted.
class ArrivalOrder : public Policy {
 public:
  /// The class of a sequence; reads only what never changes.
  using ClassOf = int (*)(const Sequence& seq);

  explicit ArrivalOrder(ClassOf class_of) : class_of_(class_of) {}

  void add(Sequence& seq, TimePoint now) override;
  Sequence* next(TimePoint now) override;
  void admit(Sequence& seq) override;
  void remove(Sequence& seq) override;
  bool before(const Sequence& a, const Sequence& b) const override;

 private:
  using Key = std::tuple<int, bool, TimePoint, uint64_t>;  // class, is new, arrival, id
  Key key(const Sequence& seq) const;

  const ClassOf class_of_;
  std::map<Key, Sequence*> waiting_;
};

}  // namespace tern
