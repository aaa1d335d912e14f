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
  /// Rows of logits that a step can give, at least max_num_seqs; 0 stands for max_num_seqs. A
  /// prompt whose own log-probabilities are wanted is prefilled in chunks of what is left of them.
  /// Counts at start only, as the memory for them is taken then.
  int32_t max_logits_rows = 0;
  int32_t num_blocks = 0;     ///< KV blocks of the pool
  int32_t block_size = 16;    ///< tokens a KV block
  int32_t max_model_len = 0;  ///< tokens of one sequence, prompt and answer
  /// Slots of what a model keeps of a sequence as a whole, at least max_num_seqs; 0 where it keeps
  /// KV alone. What exceeds max_num_seqs holds checkpoints of cached prefixes and the states before
  /// drafts.
  int32_t num_state_slots = 0;
  bool enable_prefix_caching = true;
  /// Of one sequence; then it is admitted only with all its blocks reserved.
  int32_t max_preemptions = 3;
  /// Of max_num_seqs, places that only the class itself and those before it may take: a long bulk
  /// answer keeps no interactive request waiting. Policy "priority" only; together below
  /// max_num_seqs.
  int32_t reserved_seqs_system = 0;
  int32_t reserved_seqs_interactive = 0;
  PolicyConfig policy;

  /// kInvalidArgument, naming key, limit and value.
  Status validate() const;
};

}  // namespace tern
