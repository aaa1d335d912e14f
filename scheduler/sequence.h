// One sequence as the scheduler sees it: tokens, counters, KV blocks. No text, no tensors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace tern {

/// In the order in which they are served. Named, because "higher number first" and "lower number
/// first" both exist in the field.
enum class PriorityClass : uint8_t { kSystem, kInteractive, kDefault, kBulk };

constexpr std::string_view priority_class_name(PriorityClass priority) {
  constexpr std::string_view kNames[] = {"system", "interactive", "default", "bulk"};
  return kNames[static_cast<size_t>(priority)];
}

constexpr int32_t kNoSlot = -1;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

enum class SequenceState : uint8_t {
  kWaiting,   ///< not admitted yet, preempted or paused: owns no blocks
  kRunning,   ///< admitted: prefilling or decoding
  kFinished,  ///< ended or aborted: owns no blocks, no longer known to the scheduler
};

/// What the next step that computes a sequence is to do besides computing its known tokens. The
/// default is that of autoregressive decoding: nothing, and logits for the last known token.
struct Demand {
  /// Guesses of the tokens that follow the last known one. They are computed behind it, as far as
  /// the step has tokens, rows of logits and blocks that nobody else of it needs, in order: what
  /// does not fit is left out from the end.
  std::vector<int32_t> draft_token_ids;

  /// How many of the last of all known tokens and drafts give logits. A prefill that does not reach
  /// them gives none, one that reaches a part gives these.
  int32_t num_outputs = 1;

  void reset() {
    draft_token_ids.clear();
    num_outputs = 1;
  }
};

struct Sequence {
  // Set by the caller before add(); the scheduler never changes them.
  uint64_t id = 0;  ///< unique among live sequences
  TimePoint arrival;
  PriorityClass priority = PriorityClass::kDefault;
  std::string cache_salt;    ///< sequences share prefix blocks only under equal salts (tenants)
  int32_t rope_variant = 0;  ///< Model::rope_variant; cache_salt must tell of it
  int32_t num_prompt_tokens = 0;     ///< >= 1
  int32_t max_tokens = 0;            ///< most tokens that commit() may append; 0: the prompt alone
  bool bypass_prefix_cache = false;  ///< read no cached block (its own blocks are still published)
  std::string tenant;                ///< on whose behalf it runs: what shares are counted by

  /// What is thought of the answer's length, in tokens. Policies may read it; nothing depends on
  /// its being right. NaN and what is not finite or negative count as unknown.
  double hinted_output_tokens = kUnknown;  ///< what the client says
  bool has_exact_length = false;           ///< the answer has max_tokens tokens (ignore_eos)
  /// What a ranker says; while the sequence waits, Scheduler::rescore() may change both.
  double expected_output_tokens = kUnknown;
  uint64_t ranker_version = 0;  ///< of the ranker's model: others' scores are not compared with it

  /// Set by the caller before add() and between commit() and schedule(). The commit() of a step
  /// that computed the sequence resets it.
  Demand demand;

  // Owned by the scheduler from add() on.
  std::vector<int32_t> token_ids;  ///< prompt, then answer
  SequenceState state = SequenceState::kWaiting;
  int32_t num_computed_tokens = 0;  ///< leading tokens whose KV is stored; 0 while waiting
  int32_t num_cached_tokens = 0;  ///< of those at the first admission, taken from the prefix cache
  /// While waiting: leading tokens that the prefix cache held when it was last asked; kept only for
  /// policies that read it (Policy::reads_prefix).
  int32_t num_prefix_tokens = 0;
  double order_key = 0;  ///< the policy's own; it alone writes and reads it
  int32_t num_preemptions = 0;
  int32_t num_recomputed_tokens = 0;  ///< computed once, lost by preemption, computed again
  /// Where the model keeps what the leading num_computed_tokens tokens have made of its state,
  /// while running and where SchedulerConfig::num_state_slots is set. Of unknown content where
  /// there are none: rows from position 0 on begin with the initial state.
  int32_t state_slot = kNoSlot;
  std::vector<int32_t> block_table;  ///< block ids; entry i holds positions [i * block_size, …)

  /// Most tokens whose KV is ever computed: the last one of the answer is not fed back.
  int64_t max_computed_tokens() const {
    return int64_t(num_prompt_tokens) + std::max(max_tokens - 1, 0);
  }
  /// Drafts beyond these would be guesses of tokens that are never fed back: they are not computed.
  int32_t max_draft_tokens() const {
    return static_cast<int32_t>(std::max<int64_t>(max_computed_tokens() - num_tokens(), 0));
  }
  /// The token that a row at `position` computes: a known one, or a draft.
  int32_t token_at(int32_t position) const {
    return position < num_tokens() ? token_ids[position]
                                   : demand.draft_token_ids[position - num_tokens()];
  }
  /// From this position on rows give logits; may be negative.
  int32_t first_output_position() const {
    return num_tokens() + static_cast<int32_t>(demand.draft_token_ids.size()) - demand.num_outputs;
  }
  int32_t num_tokens() const { return static_cast<int32_t>(token_ids.size()); }
  int32_t num_output_tokens() const { return num_tokens() - num_prompt_tokens; }
};

}  // namespace tern
