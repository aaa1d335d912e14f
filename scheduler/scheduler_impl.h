// What stands behind Scheduler: its state, and why it always makes progress.
#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "scheduler/block_manager.h"
#include "scheduler/policy.h"
#include "scheduler/prefix_watch.h"
#include "scheduler/scheduler.h"
#include "scheduler/state_slots.h"
#include "scheduler/step_cost.h"

namespace tern {

/// No decode starves behind a prefill. A step serves what runs in running order, and leaves one
/// token of the budget and one row of logits for each that runs behind (max_num_batched_tokens and
/// max_logits_rows are at least max_num_seqs). So whatever runs finds a token in each step, but a
/// sequence that gives way for its blocks. Nothing is admitted behind a prefill that was cut short.
///
/// Drafts come last: after all known tokens and all admissions, out of the tokens, rows of logits
/// and blocks that are left. They preempt nobody, and the blocks that they alone needed are free
/// again after commit(). So what follows holds with and without them.
///
/// Progress, of what is not paused (that counts as gone until it is resumed). Let a running
/// sequence be *safe* if it owns all blocks for prompt + max_tokens.
///
/// 1. Preemptions are bounded: a sequence admitted after max_preemptions of them is safe, and only
///    unsafe ones are victims. So num_preemptions <= max_preemptions, and the victims end.
/// 2. While has_work(), no plan is empty.
///    a) Nothing runs: every block is free or cached, so the policy's next fits, as add() refused
///       what the whole pool cannot hold, and it gets a token of the fresh budget. (So nothing is
///       held then, and nobody is passed over.)
///    b) Something runs, and all of it finds budget. Whoever lacks a block gets one, after
///       preempting unsafe sequences behind it in the policy's order, or is itself the last of
///       them and gives way. So the first of the unsafe ones in that order is scheduled, unless it
///       is the only one left and no block is available: then safe ones hold the other blocks
///       (alone it fits the pool), and they are scheduled, as they need none.
/// 3. A non-empty plan computes a known token, and between two of its preemptions (finitely many,
///    by 1) a sequence has at most prompt + max_tokens of them to compute, if every result keeps
///    the known tokens. So everything ends: no deadlock, no livelock, for any pool that add() lets
///    a sequence into, down to a single block. (A strategy that keeps fewer has to see to its end
///    itself.)
struct Scheduler::Impl {
  /// A live sequence, and what only the scheduler needs to know of it.
  struct Entry {
    std::unique_ptr<Sequence> sequence;
    std::vector<Sha256> block_hashes;  // of its leading full blocks, as far as somebody asked
    int32_t num_published = 0;         // leading blocks that the prefix cache gave or was offered
    int32_t num_scheduled = 0;         // rows in the plan being made or in flight
    int32_t num_draft = 0;             // of these, drafts
    int32_t num_ever_computed = 0;     // tokens below this one are *re*computed
    int32_t backup_slot = kNoSlot;     // state before a step with drafts, while it is in flight
    bool is_safe = false;              // owns all blocks it can ever need: never a victim
    bool is_aborted = false;           // leaves at the commit() of the step in flight
    bool is_paused = false;            // waits, and the policy does not know it
    int32_t watched_block = -1;        // its block that waits to be published, see PrefixWatch
    bool has_overtaken = false;        // was admitted past the one that blocks are held for

    // Some of its known tokens are not in the plan.
    bool is_cut_short() const {
      return num_scheduled < sequence->num_tokens() - sequence->num_computed_tokens;
    }
  };

  // Thousands of steps count: prefills may be rare.
  static constexpr double kStepCostDecay = 0.9995;

  Impl(const SchedulerConfig& config, std::unique_ptr<Policy> policy);

  // waiting.cpp
  void wait(Entry& entry, TimePoint now);
  void wait_no_longer(Entry& entry);
  void leave_queue(Entry& entry);
  bool watch_prefix(Entry& entry, int32_t num_known);
  void unwatch_prefix(Entry& entry);
  void tell_of_published();
  void use_policy(std::unique_ptr<Policy> next);
  void rescore(uint64_t id, double expected_output_tokens, uint64_t version);
  void use_ranker(uint64_t version);
  Sequence* next_waiting(TimePoint now);
  void hold_for(const Entry& entry);
  bool fits_beside_held(int32_t num_needed) const;

  // scheduler.cpp
  Status check(const Sequence& seq) const;
  Status add(std::unique_ptr<Sequence> seq);
  Status reconfigure(const SchedulerConfig& next);
  std::vector<std::unique_ptr<Sequence>> commit(const StepResult& result);
  std::unique_ptr<Sequence> abort(uint64_t id);
  void pause(uint64_t id);
  void resume(uint64_t id);
  SchedulerStats stats() const;
  void check_invariants() const;

  void apply(Entry& entry, const SequenceResult& result);
  void publish_full_blocks(Entry& entry, int32_t num_tokens);
  void release_blocks(Entry& entry);
  void shrink_block_table(Entry& entry);
  bool settle_slot(Entry& entry, bool rejects);
  void take_checkpoint(const Entry& entry);
  void free_slot(int32_t& slot);
  int32_t flush_prefix_cache();
  void check_slots() const;
  std::unique_ptr<Sequence> retire(Entry& entry, Leave why);

  void learn_step_cost(TimePoint now);

  // scheduler_plan.cpp
  const StepPlan& schedule(TimePoint now);
  void schedule_running(TimePoint now);
  void schedule_tokens(Entry& entry, int32_t num_behind, TimePoint now);
  void schedule_drafts();
  void schedule_rows(Entry& entry, int32_t num_rows);
  int32_t num_rows_to_checkpoint(const Sequence& seq, int32_t num_rows) const;
  bool back_up_slot(Entry& entry);
  void assign_slot(Sequence& seq);
  void admit_waiting(TimePoint now);
  bool has_place(const Sequence& seq, bool passes_over);
  int32_t num_blocks_to_admit(const Entry& entry) const;
  bool try_admit(Entry& entry, bool passes_over);
  void reserve_memory(Entry& entry);
  void match_prefix(Entry& entry);
  void preempt(Entry& entry, TimePoint now);
  void put_out(Entry& entry);
  Entry& last_unsafe();
  void grow_block_table(Sequence& seq, int32_t num_blocks);
  void hash_blocks(Entry& entry, int32_t num_blocks);

  // Of what runs nothing goes without its token, though max_num_seqs was higher when it came.
  int32_t budget() const {
    return std::max(config.max_num_batched_tokens, static_cast<int32_t>(running.size())) -
           plan.num_tokens;
  }
  int32_t output_budget() const {
    return std::max(max_logits_rows, static_cast<int32_t>(running.size())) - plan.num_outputs;
  }
  int32_t num_blocks_for(int32_t num_tokens) const;
  int32_t most_cached_blocks(const Sequence& seq) const;
  int32_t room(const Sequence& seq) const;

  SchedulerConfig config;
  const int32_t max_logits_rows;  // as at start
  std::unique_ptr<Policy> policy;
  BlockManager blocks;
  PrefixHasher hasher;
  StateSlots slots;

  std::unordered_map<uint64_t, Entry> entries;     // every live sequence; never iterated to decide
  std::vector<Entry*> running;                     // in the order they were admitted
  StepPlan plan;                                   // not empty: its step is in flight
  std::vector<int32_t> matched;                    // scratch of match_prefix()
  std::vector<const Sequence*> running_sequences;  // scratch of has_place()

  PrefixWatch watch;              // of what waits, where the policy reads prefixes
  std::vector<Sha256> published;  // by this commit(), as far as somebody may wait for them
  uint64_t ranker_version = 0;    // whose scores count
  // The waiting sequence that was first in this or the last step and lacked blocks, and how many it
  // needs in all.
  std::optional<uint64_t> held_id;
  int32_t num_held_blocks = 0;

  // What a step takes that has so many tokens besides one for each sequence, for the policy: from
  // one schedule() to the next, while there was something to do between them.
  StepCostModel step_costs{kStepCostDecay};
  std::optional<TimePoint> last_step_at;
  int32_t last_step_prefill = 0;
  double mean_running = 0;  // sequences of a step, of late

  SchedulerStats counters;  // its gauges are filled by stats()
  int64_t num_waiting_tokens = 0;
};

/// Known tokens whose KV is not stored yet. A running sequence has at least one.
inline int32_t num_missing_tokens(const Sequence& seq) {
  return seq.num_tokens() - seq.num_computed_tokens;
}

/// How many of the next `num_rows` rows give logits.
inline int32_t num_outputs_of(const Sequence& seq, int32_t num_rows) {
  return std::clamp(seq.num_computed_tokens + num_rows - seq.first_output_position(), 0, num_rows);
}

/// How many of the next rows can be computed with `num_outputs` rows of logits, if no other limit
/// is met before.
inline int64_t num_rows_with(const Sequence& seq, int32_t num_outputs) {
  return int64_t{num_outputs} + std::max(seq.first_output_position() - seq.num_computed_tokens, 0);
}

}  // namespace tern
