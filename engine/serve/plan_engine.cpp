#include "engine/serve/plan_engine.h"

#include <algorithm>

#include "base/log.h"
#include "base/math.h"
#include "engine/step/memory_plan.h"
#include "kernels/registry.h"

namespace tern {
namespace {

/// kv_cache_bytes, or else what all sequences can need, at most half of what weights, states and
/// workspace (`fixed_bytes`) leave.
uint64_t kv_budget(const EngineConfig& config, uint64_t wanted, uint64_t fixed_bytes,
                   uint64_t available) {
  if (config.kv_cache_bytes > 0) return config.kv_cache_bytes;
  return std::min(wanted, available > fixed_bytes ? (available - fixed_bytes) / 2 : 0);
}

uint64_t blocks_per_sequence(const SchedulerConfig& scheduler) {
  return uint64_t(ceil_div(scheduler.max_model_len, scheduler.block_size));
}

// Blocks of the KV pool, and a context that fits them.
Status plan_kv(const EngineConfig& config, uint64_t block_bytes, uint64_t budget,
               SchedulerConfig& scheduler) {
  const uint64_t blocks_per_seq = blocks_per_sequence(scheduler);
  const uint64_t affordable = block_bytes > 0 ? budget / block_bytes  // else blocks are names alone
                                              : blocks_per_seq * uint64_t(scheduler.max_num_seqs);
  const uint64_t num_blocks = std::min<uint64_t>(affordable, INT32_MAX);
  scheduler.num_blocks = static_cast<int32_t>(num_blocks);
  if (num_blocks >= blocks_per_seq) return {};
  const uint64_t fitting = num_blocks * scheduler.block_size;
  if (config.max_model_len > 0 || fitting < 2)
    return with_key({Code::kResourceExhausted,
                     "kv_cache_bytes " + std::to_string(budget) + " holds " +
                         std::to_string(fitting) + " tokens, but one sequence of max_model_len " +
                         std::to_string(scheduler.max_model_len) + " needs " +
                         std::to_string(blocks_per_seq * block_bytes) +
                         " bytes: raise kv_cache_bytes or lower max_model_len"},
                    config.kv_cache_bytes > 0 ? "engine.kv_cache_bytes" : "model.max_model_len");
  spdlog::warn("max_model_len lowered from {} to {}: that is what the KV cache of {} bytes holds",
               scheduler.max_model_len, fitting, budget);
  scheduler.max_model_len = static_cast<int32_t>(fitting);
  return {};
}

}  // namespace

Status with_key(const Status& status, const char* key) {
  if (status.ok()) return status;
  return {status.code(), status.message(), {.reason = "", .metadata = {{"key", key}}}};
}

RunnerOptions runner_options(const EngineConfig& config, const SchedulerConfig& scheduler,
                             const ComputeOptions& compute) {
  return {.device = compute.device,
          .isa = compute.isa,
          .limits = {.max_tokens = scheduler.max_num_batched_tokens,
                     .max_logits_rows = scheduler.max_num_seqs,
                     .max_context_len = round_up(scheduler.max_model_len, scheduler.block_size),
                     .num_threads = compute.num_pool_threads()},
          .num_blocks = scheduler.num_blocks,
          .block_size = scheduler.block_size,
          .num_state_slots = scheduler.num_state_slots,
          .populate_kv = config.kv_cache_bytes > 0,
          .log = config.kernel_log};
}

uint64_t bytes_per_block(const Model& model, const ComputeOptions& compute,
                         const SchedulerConfig& scheduler) {
  const KvFormat& format = choose_kv_format({.device = compute.device, .isa = compute.isa});
  return KvCache::bytes(model.cache_layout(), format, 1, scheduler.block_size);
}

Status plan_engine(const EngineConfig& config, const Model& planned, const ComputeOptions& compute,
                   SchedulerConfig& scheduler) {
  scheduler.num_state_slots = planned.cache_layout().num_state_slots(scheduler.max_num_seqs);
  const MemoryInfo memory = read_memory_info();
  const MemoryPlan fixed = plan_memory(planned, runner_options(config, scheduler, compute), memory);
  const uint64_t block_bytes = bytes_per_block(planned, compute, scheduler);
  const uint64_t wanted =
      blocks_per_sequence(scheduler) * uint64_t(scheduler.max_num_seqs) * block_bytes;
  const uint64_t budget = kv_budget(config, wanted, fixed.total_bytes(), memory.available_bytes());
  if (config.kv_cache_bytes == 0 && budget < block_bytes) {
    scheduler.num_blocks = 1;  // says what does not fit even so
  } else {
    TERN_TRY(plan_kv(config, block_bytes, budget, scheduler));
  }
  const RunnerOptions options = runner_options(config, scheduler, compute);
  const MemoryPlan plan = plan_memory(planned, options, memory);
  const Status fits = check_fits(plan, planned, options);
  if (config.kv_cache_bytes > 0 && fixed.total_bytes() <= memory.available_bytes())
    TERN_TRY(with_key(fits, "engine.kv_cache_bytes"));
  TERN_TRY(fits);
  TERN_TRY(scheduler.validate());
  spdlog::info("{}", describe(plan));
  return {};
}

}  // namespace tern
