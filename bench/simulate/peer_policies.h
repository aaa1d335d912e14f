// The rules of other engines' schedulers, for comparison alone: nobody serves by them.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "scheduler/policy.h"

namespace tern::bench {

/// A row of the table of peers. What of their rules a Policy can say is modelled: the order, who
/// gives way, and whether memory is promised at admission. What is not (steps of prefill alone, a
/// budget that one prompt may take whole) is said in docs/scheduling.md.
struct PeerPolicy {
  std::string_view name;
  std::unique_ptr<Policy> (*make)(const SchedulerConfig& config);
  /// Whatever runs fails where the KV cache is full; nothing is preempted.
  bool fails_all_when_kv_is_full = false;
};

/// vllm-fcfs, vllm-priority (vLLM 0.33), sgl-fcfs, sgl-lpm, sgl-hrrn, sgl-hrrn-nocut, sgl-spf
/// (SGLang 0.5.23), dyn-wspt (the router of Dynamo 1.6 above vLLM), llama-slots (llama-server of
/// October 2026).
std::span<const PeerPolicy> peer_policies();

/// Makes one of SGLang's; peer_policies() has them by name.
enum class SglOrder {
  kFcfs,          ///< by entry into the queue
  kLongestMatch,  ///< most cached tokens first, while at most 128 wait
  kHrrn,          ///< by prefill work done since the entry over own prefill, while at most 128 wait
  kHrrnNoCut,     ///< the same, whoever waits
  kShortestPrefill,
};
std::unique_ptr<Policy> make_sgl(const SchedulerConfig& config, SglOrder order);

}  // namespace tern::bench
