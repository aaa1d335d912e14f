// What a step of a simulated engine takes.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace tern {

/// The model of every simulation: the engine without a model (sim_engine.h) and `tern simulate`.
struct SimStepCost {
  Seconds base{1e-3};
  Seconds per_token{2e-6};
  Seconds per_sequence{2e-5};

  /// How long a step takes that computes `num_tokens` rows of `num_sequences` sequences.
  Seconds of(int64_t num_tokens, int64_t num_sequences) const {
    return base + per_token * double(num_tokens) + per_sequence * double(num_sequences);
  }
};

}  // namespace tern
