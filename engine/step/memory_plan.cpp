#include "engine/step/memory_plan.h"

#include <cstdio>

#include "kernels/registry.h"

namespace tern {
namespace {

/// Three significant digits are not enough to tell a budget that fits from one that does not.
std::string mib(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", double(bytes) / (1 << 20));
  return text;
}

std::string parts(const MemoryPlan& p) {
  return "weights " + mib(p.weight_bytes) + " + KV cache " + mib(p.kv_bytes) + " (" +
         std::to_string(p.num_blocks) + " blocks of " + std::to_string(p.block_size) + " = " +
         std::to_string(int64_t(p.num_blocks) * p.block_size) + " tokens) + workspace " +
         mib(p.workspace_bytes) + " (steps of " + std::to_string(p.max_tokens) + " tokens)" +
         (p.state_bytes > 0 ? " + states " + mib(p.state_bytes) + " (" +
                                  std::to_string(p.num_state_slots) + " slots)"
                            : "");
}

std::string limits(const MemoryInfo& m) {
  std::string text = "available " + mib(m.available_bytes()) + " (machine " + mib(m.machine_bytes);
  if (m.group)
    text +=
        ", control group " + mib(m.group->available_bytes) + " of its " + mib(m.group->limit_bytes);
  return text + ")";
}

uint64_t kv_bytes(const Model& model, const RunnerOptions& options, int32_t num_blocks) {
  const KvFormat& format = choose_kv_format({.device = options.device, .isa = options.isa});
  return KvCache::bytes(model.cache_layout(), format, num_blocks, options.block_size);
}

/// The most tokens of a step, by halves, that leave room for one block; 0 where none do.
int64_t fitting_tokens(const Model& model, RunnerOptions options, const MemoryInfo& memory) {
  options.num_blocks = 1;
  while (options.limits.max_tokens > 1) {
    options.limits.max_tokens /= 2;
    options.limits.max_logits_rows =
        std::min(options.limits.max_logits_rows, options.limits.max_tokens);
    if (plan_memory(model, options, memory).total_bytes() <= memory.available_bytes())
      return options.limits.max_tokens;
  }
  return 0;
}

/// The most running sequences, by halves, whose states leave room for one block; 0 where none do.
int32_t fitting_seqs(const MemoryPlan& plan, const Model& model, RunnerOptions options) {
  options.num_blocks = 1;
  const int32_t slots_a_seq = model.cache_layout().num_state_slots(1);
  if (slots_a_seq == 0) return 0;
  for (int32_t seqs = options.num_state_slots / slots_a_seq; seqs > 1;) {
    seqs /= 2;
    options.num_state_slots = seqs * slots_a_seq;
    if (plan_memory(model, options, plan.memory).total_bytes() <= plan.memory.available_bytes())
      return seqs;
  }
  return 0;
}

std::string advice(const MemoryPlan& plan, const Model& model, const RunnerOptions& options) {
  const uint64_t available = plan.memory.available_bytes();
  const uint64_t fixed = plan.total_bytes() - plan.kv_bytes;
  const uint64_t block_bytes = kv_bytes(model, options, 1);
  if (available >= fixed + block_bytes)
    return "kv_cache_bytes of " + std::to_string((available - fixed) >> 20) + "MiB fits";
  if (const int64_t tokens = fitting_tokens(model, options, plan.memory))
    return "max_num_batched_tokens of " + std::to_string(tokens) +
           " fits, with kv_cache_bytes of what is left";
  if (const int32_t seqs = fitting_seqs(plan, model, options))
    return "max_num_seqs of " + std::to_string(seqs) + " fits, with kv_cache_bytes of what is left";
  return "no setting makes it fit: weights alone take " + mib(plan.weight_bytes);
}

}  // namespace

MemoryPlan plan_memory(const Model& model, const RunnerOptions& options, const MemoryInfo& memory) {
  return {.weight_bytes = model.weight_bytes(),
          .file_bytes = model.file_bytes(),
          .kv_bytes = kv_bytes(model, options, options.num_blocks),
          .num_blocks = options.num_blocks,
          .block_size = options.block_size,
          .workspace_bytes = ForwardRunner::workspace_bytes(model, options),
          .max_tokens = options.limits.max_tokens,
          .state_bytes = StateCache::bytes(model.cache_layout(), options.num_state_slots),
          .num_state_slots = options.num_state_slots,
          .memory = memory};
}

Status check_fits(const MemoryPlan& plan, const Model& model, const RunnerOptions& options) {
  if (plan.total_bytes() <= plan.memory.available_bytes()) return {};
  return Status(Code::kResourceExhausted, "the model does not fit into memory: " + parts(plan) +
                                              " = " + mib(plan.total_bytes()) + ", " +
                                              limits(plan.memory) + ": " +
                                              advice(plan, model, options));
}

std::string describe(const MemoryPlan& plan) {
  std::string text = "memory plan: " + parts(plan) + " = " + mib(plan.total_bytes()) + ", beside " +
                     mib(plan.memory.resident_bytes) + " of the process";
  if (plan.file_bytes > 0) text += " and " + mib(plan.file_bytes) + " read in the model's file";
  return text + "; " + limits(plan.memory);
}

}  // namespace tern
