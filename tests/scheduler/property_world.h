// Random scenarios of the scheduler: what a world around it is and knows.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "scheduler/scheduler.h"
#include "tests/scheduler/shadow_policy.h"

namespace tern {

inline uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15u)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// What happened in many worlds; shows that the hard cases were met.
struct Coverage {
  uint64_t steps = 0, preemptions = 0, safe_admissions = 0, prefix_hits = 0, evictions = 0;
  uint64_t pauses_waiting = 0, pauses_running = 0, resumes = 0;
  uint64_t aborts_waiting = 0, aborts_running = 0, aborts_in_flight = 0, blocked_heads = 0,
           chunks = 0;
  uint64_t passed_over = 0, rescores = 0, switches = 0;
  uint64_t drafts_kept = 0, drafts_rejected = 0, drafts_left_out = 0, cut_by_outputs = 0;
};

/// One scenario, drawn from its number. Fails the running test case where the scheduler breaks a
/// rule.
class World {
 public:
  World(uint64_t scenario, Coverage& coverage);

  /// Runs until everything that was added has ended. Returns a digest of all plans and ends.
  uint64_t run();

 private:
  /// What the world knows of a live sequence, independently of the scheduler.
  struct Known {
    Sequence* sequence = nullptr;   // the scheduler's
    std::vector<uint64_t> content;  // of each token's KV: stands for salt and all tokens up to it
    PriorityClass priority{};
    TimePoint arrival;
    int32_t max_total = 0;  // prompt + max_tokens
    int32_t num_preemptions = 0;
    bool is_running = false;
    bool is_safe = false;
    bool is_aborted = false;
    bool is_paused = false;
    bool was_admitted = false;
  };

  void draw_config();
  void draw_policy(size_t index);
  double draw_length();
  void rescore(uint64_t id);
  void switch_policy();
  void add_sequence();
  void try_bad_add();
  void step();
  void execute(const StepPlan& plan);
  void run_states(const StepPlan& plan);
  static int32_t end_of(const ScheduledSequence& scheduled) {
    return scheduled.sequence->num_computed_tokens + scheduled.num_tokens;
  }
  // The chunk is not cut for lack of anything.
  bool ends_for_checkpoint(const ScheduledSequence& scheduled) const {
    return !states_.empty() && config_.enable_prefix_caching && !scheduled.produces_token() &&
           end_of(scheduled) % config_.block_size == 0;
  }
  void draw_demands();
  void draw_tokens(const ScheduledSequence& scheduled, SequenceResult& own);
  StepResult draw_results(const StepPlan& plan, std::vector<uint64_t>& ended);
  void abort(uint64_t id, const StepPlan* in_flight);
  void pause(uint64_t id);
  void resume(uint64_t id);
  void flush();
  void finish();

  void check_plan(const StepPlan& plan);
  void check_rows(const ScheduledSequence& scheduled);
  void check_victims(const StepPlan& plan);
  void check_running(const StepPlan& plan, size_t num_old);
  bool has_place(PriorityClass priority) const;
  void check_admissions(const StepPlan& plan, size_t num_old);
  void check_admitted(const Known& known);
  void check_nobody_forgotten(const StepPlan& plan);
  void check_state();

  bool goes_before(uint64_t a, uint64_t b, bool resumed_first) const;
  uint64_t first_waiting() const;  // 0: none
  bool serves_by_arrival() const {
    return config_.policy.name == "fcfs" || config_.policy.name == "priority";
  }
  uint64_t next_of_shadow();  // 0: none
  int32_t blocks_to_admit(const Known& known) const;
  int32_t blocks_for(int32_t tokens) const;
  int32_t max_logits_rows() const {
    return config_.max_logits_rows > 0 ? config_.max_logits_rows : config_.max_num_seqs;
  }
  void extend_content(Known& known);
  void expect(bool ok, const char* what) const;
  void digest(uint64_t value);
  uint32_t draw(uint32_t limit) { return static_cast<uint32_t>(rng_() % limit); }  // in [0, limit)
  bool one_in(uint32_t n) { return draw(n) == 0; }

  const uint64_t scenario_;
  Coverage& coverage_;
  std::mt19937 rng_;
  SchedulerConfig config_;
  int32_t reserved_system_ = 0, reserved_interactive_ = 0;  // as in config_
  std::unique_ptr<Scheduler> scheduler_;
  std::optional<ShadowPolicy> shadow_;
  std::vector<uint64_t> passed_over_;  // in the last step
  std::map<uint64_t, Known> live_;
  std::vector<uint64_t> running_;              // in the order of admission
  std::vector<uint64_t> kv_;                   // content of every slot of the pool
  std::vector<uint64_t> states_;               // content of every slot of state
  std::vector<std::vector<int32_t>> streams_;  // prompts begin with a piece of one of these
  bool has_drafts_ = false;
  int32_t num_to_add_ = 0;
  uint64_t last_id_ = 0;
  int64_t tick_ = 0;
  int64_t max_steps_ = 0;  // no schedule needs more: each computes a token, see scheduler_impl.h
  uint64_t num_operations_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace tern
