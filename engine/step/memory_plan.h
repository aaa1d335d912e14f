// What an engine will take of the memory, known before a weight is read, and whether it is there.
#pragma once

#include <string>

#include "base/memory_info.h"
#include "base/status.h"
#include "engine/model/model.h"
#include "engine/step/model_runner.h"

namespace tern {

struct MemoryPlan {
  uint64_t weight_bytes = 0;  ///< packed, and the tables beside them
  uint64_t file_bytes = 0;    ///< of weights read where they lie in their file: page cache
  uint64_t kv_bytes = 0;      ///< of the whole pool, however much of it is used
  int32_t num_blocks = 0;
  int32_t block_size = 0;        ///< tokens of a block
  uint64_t workspace_bytes = 0;  ///< of the largest step, with its logits and sampling
  int64_t max_tokens = 0;        ///< of that step
  uint64_t state_bytes = 0;      ///< of the slots of what layers keep besides KV
  int32_t num_state_slots = 0;
  MemoryInfo memory;  ///< as it was when planned

  /// What is to be taken on top of what the process has (memory.resident_bytes).
  uint64_t total_bytes() const { return weight_bytes + kv_bytes + state_bytes + workspace_bytes; }
};

/// Plans the memory of `model` (LoadOptions::plan_only suffices), run with `options`.
MemoryPlan plan_memory(const Model& model, const RunnerOptions& options, const MemoryInfo& memory);

/// kResourceExhausted where the plan takes more than is available: names every part, the limit, and
/// what would fit.
Status check_fits(const MemoryPlan& plan, const Model& model, const RunnerOptions& options);

/// Describes the plan in one line for the log: parts, total, what the machine and the control group
/// have.
std::string describe(const MemoryPlan& plan);

}  // namespace tern
