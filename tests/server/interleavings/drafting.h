// A strategy for tests: it drafts tokens, some of them wrong, and keeps those that the model says,
// too. Its answers are those of the autoregressive strategy, in fewer steps.
#pragma once

#include <cstdint>

#include "engine/decode/strategies.h"

namespace tern {

/// For a model that is a SimContext, without and with state.
extern const StrategyRow kDraftingRows[2];

/// What the strategy has seen since the program's start, in all engines.
struct DraftingCounts {
  uint64_t demanded = 0, computed = 0, kept = 0;
};
DraftingCounts drafting_counts();

}  // namespace tern
