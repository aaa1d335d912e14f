// What an operator can set about scheduling.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"

namespace tern {

/// Which policy serves (scheduler/policy.h has the table), and what it is told.
struct PolicyConfig {
  std::string name = "fcfs";
  /// The values by PolicyKey::name. A key that is not there is at its fallback.
  std::map<std::string, double, std::less<>> settings;

  bool operator==(const PolicyConfig&) const = default;
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
  /// How often one sequence may be preempted; then it is admitted only with all its blocks
  /// reserved.
  int32_t max_preemptions = 3;
  PolicyConfig policy;

  /// kInvalidArgument, naming key, limit and value; metadata `key` is the key of the configuration.
  Status validate() const;
  /// The same of what an operator sets, before num_blocks and max_model_len are known.
  Status validate_settings() const;
};

}  // namespace tern
