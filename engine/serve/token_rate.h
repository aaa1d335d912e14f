// Tokens a second over the last seconds, from a counter that only grows.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace tern {

/// One thread. A window of about four seconds in slots of one.
class TokenRate {
 public:
  void observe(TimePoint now, uint64_t num_tokens) {
    if (to_seconds(now - slots_[newest_].time) >= 1 || slots_[newest_].time == TimePoint()) {
      newest_ = (newest_ + 1) % slots_.size();
      slots_[newest_] = {now, num_tokens};
    }
  }

  /// `num_tokens`: the counter now.
  double per_second(TimePoint now, uint64_t num_tokens) const {
    Slot oldest{now, num_tokens};
    for (const Slot& slot : slots_)
      if (slot.time != TimePoint() && slot.time < oldest.time && to_seconds(now - slot.time) <= 6)
        oldest = slot;
    const double seconds = to_seconds(now - oldest.time);
    return seconds > 0 ? double(num_tokens - oldest.num_tokens) / seconds : 0;
  }

 private:
  struct Slot {
    TimePoint time;
    uint64_t num_tokens = 0;
  };
  std::array<Slot, 5> slots_{};
  size_t newest_ = 0;
};

}  // namespace tern
