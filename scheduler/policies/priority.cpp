// The named priority classes in turn; within a class first come, first served. Places may be
// reserved for the upper classes: a long bulk answer keeps no interactive request waiting.
#include <algorithm>
#include <string>

#include "scheduler/policies/arrival_order.h"

namespace tern {
namespace {

constexpr PolicyKey kReservedSystem{"reserved_seqs_system",
                                    "priority: of max_num_seqs, places for the class system alone.",
                                    0, 65535};
constexpr PolicyKey kReservedInteractive{
    "reserved_seqs_interactive",
    "priority: of max_num_seqs, places for the classes system and interactive.", 0, 65535};
constexpr const PolicyKey* kKeys[] = {&kReservedSystem, &kReservedInteractive};

class PriorityPolicy final : public ArrivalOrder {
 public:
  PriorityPolicy(int32_t reserved_system, int32_t reserved_interactive)
      : ArrivalOrder([](const Sequence& seq) { return static_cast<int>(seq.priority); }),
        reserved_system_(reserved_system),
        reserved_interactive_(reserved_interactive) {}

  // A place is reserved as long as no running sequence of its class holds it.
  bool may_admit(const Sequence& seq, std::span<const Sequence* const> running,
                 int32_t num_places) const override {
    const auto num_kept_for = [&](PriorityClass priority, int32_t reserved) {
      if (seq.priority <= priority || reserved == 0) return 0;
      const auto held = std::ranges::count(running, priority, &Sequence::priority);
      return std::max(reserved - static_cast<int32_t>(held), 0);
    };
    return num_places > num_kept_for(PriorityClass::kSystem, reserved_system_) +
                            num_kept_for(PriorityClass::kInteractive, reserved_interactive_);
  }

 private:
  const int32_t reserved_system_, reserved_interactive_;
};

}  // namespace

std::span<const PolicyKey* const> priority_keys() {
  return kKeys;
}

Result<std::unique_ptr<Policy>> make_priority(const SchedulerConfig& config) {
  const int32_t system = kReservedSystem.integer(config.policy);
  const int32_t interactive = kReservedInteractive.integer(config.policy);
  const int64_t reserved = int64_t{system} + interactive;
  if (reserved >= config.max_num_seqs)
    return wrong_setting(
        system > 0 ? kReservedSystem.name : kReservedInteractive.name,
        "reserved_seqs_system + reserved_seqs_interactive: must be below max_num_seqs (" +
            std::to_string(config.max_num_seqs) + "), or other classes would never run; are " +
            std::to_string(reserved));
  return std::unique_ptr<Policy>(std::make_unique<PriorityPolicy>(system, interactive));
}

}  // namespace tern
