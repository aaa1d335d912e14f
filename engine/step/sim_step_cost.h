// What a step of the simulated engine takes.
#pragma once

#include "base/clock.h"

namespace tern {

/// Seconds of a step = base + per_token * tokens + per_sequence * sequences.
struct SimStepCost {
  Seconds base{1e-3};
  Seconds per_token{2e-6};
  Seconds per_sequence{2e-5};
};

}  // namespace tern
