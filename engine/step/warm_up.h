// The first step, taken before anybody waits for it.
#pragma once

#include "base/clock.h"
#include "base/status.h"
#include "engine/load/model_assets.h"
#include "engine/step/model_runner.h"
#include "scheduler/config.h"

namespace tern {

/// Answers a prompt of a few tokens with two by a scheduler and a loop of its own, which nobody
/// sees: weights, kernels and threads have worked once, and a model whose logits are not finite is
/// found before it serves (kInternal). Before EngineThread::start(), on any thread; leaves the KV
/// pool unused.
Status warm_up(const ModelAssets& assets, const SchedulerConfig& scheduler, const Clock& clock,
               ModelRunner& runner);

}  // namespace tern
