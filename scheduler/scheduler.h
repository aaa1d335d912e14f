// Continuous batching: which tokens of which sequences the next step computes.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "scheduler/config.h"
#include "scheduler/policy.h"
#include "scheduler/sequence.h"
#include "scheduler/stats.h"
#include "scheduler/step_plan.h"

namespace tern {

/// One thread (E). The cycle is schedule() → the step runs → commit(); an empty plan needs no
/// commit(). Between the two, only abort() and the readers may be called. The same calls with the
/// same times give the same plans.
///
/// Rules (docs/engine-contract.md):
/// - Running sequences come first, in the order they were admitted: a decode takes one token, a
///   prefill what is left of max_num_batched_tokens and max_logits_rows once all that run behind it
///   have one. Nothing is admitted behind a prefill that is not through, so that no decode ever
///   waits for a long prompt.
/// - Then waiting ones are admitted in the policy's order while max_num_seqs, the token budget and
///   blocks last. One is admitted when blocks for all its known tokens are there, though it takes
///   them step by step. Nothing is admitted in a step that preempted.
/// - Where the policy's next lacks blocks, all that it needs is reserved for it. Whoever is
///   admitted past it (at most bypass_window() are asked a step), with all others that have been
///   since then, uses only blocks that it will not need, and leaves it a place. So it waits for
///   what ran before it came first, and for no one else's end. Where the window is 0, nobody is
///   passed over.
/// - A running sequence that needs a block and finds none preempts from the back (the last of the
///   policy's order goes first, which may be itself): the victim loses its blocks, waits again
///   ahead of its class, and recomputes. What it had published stays in the prefix cache until
///   evicted.
/// - Drafts (Sequence::demand) come last of all: they take what tokens, rows of logits and blocks
/// the
///   step has left, in running order, and preempt nobody.
/// - Where a model has state besides KV (num_state_slots), a running sequence owns a slot of it. A
///   chunk ends at the last end of a block that it reaches, where the state is copied to a slot of
///   its own, a checkpoint; a prefix hit ends with a block that has one, whose copy is the
///   sequence's state then. A step with drafts begins with a copy of the state; where it rejects
///   one, the copy is the state, and what was appended is computed again.
/// - A sequence preempted max_preemptions times is admitted again only with all blocks for prompt +
///   max_tokens, and is never a victim then.
class Scheduler {
 public:
  /// kInvalidArgument where the config is.
  static Result<std::unique_ptr<Scheduler>> create(const SchedulerConfig& config);
  /// The policy is one that stands in no table, and takes the place of the one that `config` names.
  static Result<std::unique_ptr<Scheduler>> create(const SchedulerConfig& config,
                                                   std::unique_ptr<Policy> policy);
  ~Scheduler();

  /// Takes the sequence into the waiting queue; the pointer stays valid until commit() or abort()
  /// hand the sequence back. Its token_ids are the prompt. kOutOfRange where prompt + max_tokens is
  /// over max_model_len or can never fit the pool; kAlreadyExists where the id lives;
  /// kInvalidArgument where the sequence is malformed.
  Status add(std::unique_ptr<Sequence> seq);

  /// The next step's plan; empty where there is nothing to compute. `now` is the step's time.
  const StepPlan& schedule(TimePoint now);

  /// The outcome of the last plan: one result for each of its sequences that was not aborted
  /// meanwhile (results for aborted ones are ignored), in the plan's order. Appends tokens,
  /// publishes full blocks of rows that stay to the prefix cache, frees what ended and the blocks
  /// that rejected drafts alone have used. Returns the sequences that ended:
  /// finished, or aborted since schedule(). The plan is empty afterwards.
  std::vector<std::unique_ptr<Sequence>> commit(const StepResult& result);

  /// Ends a sequence in any state and returns it. Null where the step in flight computes it: that
  /// step's commit() hands it back and frees its blocks, so that the plan's pointers and blocks
  /// stay valid till then. Null, too, where the id is unknown: a late abort is no error.
  std::unique_ptr<Sequence> abort(uint64_t id);

  /// Takes a sequence out of the batch, or out of the queue, until resume(): it owns no block then,
  /// but finds its KV in the prefix cache again where nobody has needed the memory since. No
  /// preemption: it does not count against max_preemptions, and resume() puts it back by its
  /// arrival. Between commit() and schedule(); what is unknown, or paused already (not paused), is
  /// ignored. While all live sequences are paused, plans are empty.
  void pause(uint64_t id);
  void resume(uint64_t id);

  /// A ranker says now that the answer will have so many tokens. Between commit() and schedule();
  /// counts while the sequence waits, and is ignored where the id is unknown.
  void rescore(uint64_t id, double expected_output_tokens, uint64_t ranker_version);

  /// From now on scores of this version of the ranker's model count, and no others; 0 at first.
  /// Between commit() and schedule().
  void use_ranker(uint64_t version);

  /// Forgets all cached prefixes that no running sequence uses; returns how many blocks became
  /// free.
  int32_t flush_prefix_cache();

  /// Goes on by `config`, whose num_blocks, block_size, max_model_len and max_preemptions must be
  /// as before; between commit() and schedule(). What runs goes on running, beyond a lower
  /// max_num_seqs too; what waits is put into the order of a new policy. kInvalidArgument changes
  /// nothing.
  Status reconfigure(const SchedulerConfig& config);

  bool has_work() const;  ///< waiting or running sequences exist
  SchedulerStats stats() const;
  const SchedulerConfig& config() const;

  /// Aborts the process where an invariant is broken: free + used + cached = total, reference
  /// counts equal the block tables, no block twice in a free list. O(blocks + tables); for tests
  /// and debug builds.
  void check_invariants() const;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
