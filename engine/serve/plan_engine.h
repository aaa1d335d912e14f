// What an engine takes of the memory, fitted into what there is.
#pragma once

#include "base/status.h"
#include "engine/load/loader.h"
#include "engine/serve/create.h"
#include "engine/step/model_runner.h"
#include "scheduler/config.h"

namespace tern {

/// `status` with the key of the configuration that can put it right, where it is no success.
Status with_key(const Status& status, const char* key);

/// Fits KV pool, slots of state and context into the memory there is, before weights are read:
/// fills num_blocks and num_state_slots of `scheduler`, and lowers its max_model_len where the
/// operator has set none. kResourceExhausted naming the parts, the limit and what would fit.
Status plan_engine(const EngineConfig& config, const Model& planned, const ComputeOptions& compute,
                   SchedulerConfig& scheduler);

/// What the runner is told of such an engine.
RunnerOptions runner_options(const EngineConfig& config, const SchedulerConfig& scheduler,
                             const ComputeOptions& compute);

/// Returns the bytes of a block of the KV pool, all layers together.
uint64_t bytes_per_block(const Model& model, const ComputeOptions& compute,
                         const SchedulerConfig& scheduler);

}  // namespace tern
