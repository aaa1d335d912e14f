// What an operator can set about scheduling.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace tern {

struct PolicyConfig {
  std::string name = "fcfs";  ///< "fcfs" or "priority"
};

struct SchedulerConfig {
  int32_t max_num_seqs = 64;  ///< sequences running at once
  /// Tokens of one step, at least max_num_seqs; longer prompts are prefilled in chunks.
  int32_t max_num_batched_tokens = 512;
  int32_t num_blocks = 0;     ///< KV blocks of the pool
  int32_t block_size = 16;    ///< tokens a KV block
  int32_t max_model_len = 0;  ///< tokens of one sequence, prompt and answer
  bool enable_prefix_caching = true;
  /// Of one sequence; then it is admitted only with all its blocks reserved.
  int32_t max_preemptions = 3;
  /// Of max_num_seqs, places that only the class itself and those before it may take: a long bulk
  /// answer keeps no interactive request waiting. Policy "priority" only; together below
  /// max_num_seqs.
  int32_t reserved_seqs_system = 0;
  int32_t reserved_seqs_interactive = 0;
  PolicyConfig policy;

  /// kInvalidArgument, naming key, limit and value; metadata `key` is the key of the configuration.
  Status validate() const;
  /// The same of what an operator sets, before num_blocks and max_model_len are known.
  Status validate_settings() const;
};

}  // namespace tern
