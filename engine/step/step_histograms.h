// What the engine's steps were like since start, a plain copy.
#pragma once

#include "base/histogram.h"

namespace tern {

namespace buckets {

/// Tokens of one step.
inline constexpr double kStepTokens[] = {1,   2,   4,    8,    16,   32,   64,   128,
                                         256, 512, 1024, 2048, 4096, 8192, 16384};
/// Seconds of one step, and between two tokens of one answer.
inline constexpr double kTokenSeconds[] = {.0005, .001, .0025, .005, .0075, .01, .015, .025, .05,
                                           .075,  .1,   .15,   .2,   .3,    .4,  .5,   .75,  1,
                                           2.5,   5,    7.5,   10,   20,    40,  80};

}  // namespace buckets

struct StepHistograms {
  Histogram tokens{buckets::kStepTokens};
  Histogram prefill_seconds{buckets::kTokenSeconds};  ///< of steps that computed a prompt's tokens
  Histogram decode_seconds{buckets::kTokenSeconds};   ///< of all others
  /// How long it is between two events with tokens of one answer, as they leave the engine.
  Histogram token_gap_seconds{buckets::kTokenSeconds};
};

}  // namespace tern
