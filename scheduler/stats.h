// Counters and gauges of the scheduler, a plain copy.
#pragma once

#include <cstdint>

namespace tern {

struct SchedulerStats {
  int32_t num_waiting = 0;
  int32_t num_running = 0;
  int64_t num_waiting_tokens = 0;  ///< of waiting sequences, not yet computed

  int32_t max_num_seqs = 0;  ///< as configured

  int32_t num_blocks = 0;
  int32_t block_size = 0;         ///< tokens
  int32_t num_free_blocks = 0;    ///< hold nothing
  int32_t num_used_blocks = 0;    ///< referenced by a running sequence
  int32_t num_cached_blocks = 0;  ///< hold a prefix, referenced by none: evicted when needed

  uint64_t num_steps = 0;
  uint64_t num_preemptions = 0;
  uint64_t num_scheduled_tokens = 0;
  uint64_t num_recomputed_tokens = 0;
  uint64_t prefix_cache_query_tokens = 0;
  uint64_t prefix_cache_hit_tokens = 0;
  uint64_t num_evicted_blocks = 0;
};

}  // namespace tern
