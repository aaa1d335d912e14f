// What a world checks after each operation: the rules of Scheduler.
#include <algorithm>
#include <catch2/catch.hpp>
#include <tuple>

#include "tests/scheduler/property_world.h"

namespace tern {

// The order of the policies that serve by arrival, written a second time. Those that serve by a key
// have a test of their own; here a second policy says what is expected of the scheduler.
bool World::goes_before(uint64_t a, uint64_t b, bool resumed_first) const {
  const auto key = [&](uint64_t id) {
    const Known& known = live_.at(id);
    const int rank = config_.policy.name == "priority" ? static_cast<int>(known.priority) : 0;
    const bool is_new = resumed_first && known.num_preemptions == 0;
    return std::tuple(rank, is_new, known.arrival, id);
  };
  return key(a) < key(b);
}

uint64_t World::first_waiting() const {
  uint64_t first = 0;
  for (const auto& [id, known] : live_) {
    if (known.is_paused) continue;
    if (!known.is_running && (first == 0 || goes_before(id, first, true))) first = id;
  }
  return first;
}

void World::check_plan(const StepPlan& plan) {
  const bool has_work = std::any_of(live_.begin(), live_.end(),
                                    [](const auto& entry) { return !entry.second.is_paused; });
  expect(plan.empty() == !has_work, "a plan is empty only where there is nothing to do");
  check_victims(plan);
  const size_t num_old = running_.size();
  check_running(plan, num_old);
  check_admissions(plan, num_old);
  check_nobody_forgotten(plan);
  if (!plan.empty()) shadow_->stepped(plan);

  int32_t num_tokens = 0, num_outputs = 0;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    num_tokens += scheduled.num_tokens;
    num_outputs += scheduled.num_outputs;
    digest(scheduled.sequence->id);
    digest(static_cast<uint64_t>(scheduled.num_tokens));
    digest(static_cast<uint64_t>(scheduled.num_draft));
    for (const int32_t block : scheduled.sequence->block_table) {
      digest(static_cast<uint64_t>(block));
    }
    check_rows(scheduled);
  }
  expect(num_tokens == plan.num_tokens, "the plan's tokens are summed");
  expect(num_tokens <= config_.max_num_batched_tokens, "the budget is kept");
  expect(num_outputs == plan.num_outputs, "the plan's rows of logits are summed");
  expect(num_outputs <= max_logits_rows(), "there are rows for all logits");
  expect(plan.sequences.size() <= static_cast<size_t>(config_.max_num_seqs),
         "max_num_seqs is kept");
}

void World::check_rows(const ScheduledSequence& scheduled) {
  const Sequence& seq = *scheduled.sequence;
  const std::vector<int32_t>& drafts = seq.demand.draft_token_ids;
  const int32_t num_draft = scheduled.num_draft;
  expect(scheduled.num_tokens > num_draft && num_draft >= 0,
         "a scheduled sequence computes a token");
  expect(end_of(scheduled) - num_draft <= seq.num_tokens(), "only known tokens are computed");
  expect(num_draft == 0 || scheduled.produces_token(), "drafts follow the last known token");
  expect(num_draft <= static_cast<int32_t>(drafts.size()), "only drafts that exist are computed");
  expect(end_of(scheduled) < seq.num_prompt_tokens + std::max(seq.max_tokens, 1),
         "nothing is computed that is never fed back");
  const auto covered = static_cast<int32_t>(seq.block_table.size()) * config_.block_size;
  expect(end_of(scheduled) <= covered, "the block table covers the chunk");
  int32_t num_outputs = 0;
  const int32_t num_all = seq.num_tokens() + static_cast<int32_t>(drafts.size());
  for (int32_t p = seq.num_computed_tokens; p < end_of(scheduled); ++p) {
    num_outputs += p >= num_all - seq.demand.num_outputs;
  }
  expect(scheduled.num_outputs == num_outputs, "the wanted rows give logits");
  coverage_.drafts_left_out += scheduled.produces_token() ? drafts.size() - num_draft : 0;
}

// Victims come from the back of the policy's order, and never one whose blocks are reserved.
void World::check_victims(const StepPlan& plan) {
  for (const uint64_t id : plan.preempted) {
    digest(id);
    Known& victim = live_.at(id);
    expect(victim.is_running, "a victim ran");
    expect(!victim.is_safe, "a sequence with reserved blocks is no victim");
    for (const uint64_t other : running_) {
      if (live_.at(other).is_safe) continue;
      expect(other == id || shadow_->before(other, id),
             "a victim is the last of the policy's order");
      expect(!serves_by_arrival() || !goes_before(id, other, false),
             "a victim is the last to come");
    }
    shadow_->put_out(id);
    shadow_->wait(*victim.sequence, TimePoint(Duration(tick_)));
    victim.is_running = false;
    ++victim.num_preemptions;
    ++coverage_.preemptions;
    expect(victim.num_preemptions <= config_.max_preemptions, "preemptions are bounded");
    std::erase(running_, id);
  }
}

// Whoever ran before the step and was no victim is in the plan, in running order.
void World::check_running(const StepPlan& plan, size_t num_old) {
  expect(plan.sequences.size() >= num_old, "every running sequence is in the plan");
  for (size_t i = 0; i < num_old; ++i) {
    expect(plan.sequences[i].sequence->id == running_[i], "the plan has running order");
  }
}

// Counts from the places of each class down, where the policy counts the running ones up.
bool World::has_place(PriorityClass priority) const {
  if (running_.empty()) return true;
  int32_t kept_system = reserved_system_, kept_interactive = reserved_interactive_;
  for (const uint64_t id : running_) {
    const PriorityClass held = live_.at(id).priority;
    if (held == PriorityClass::kSystem && kept_system > 0) --kept_system;
    if (held == PriorityClass::kInteractive && kept_interactive > 0) --kept_interactive;
  }
  int32_t places = config_.max_num_seqs - static_cast<int32_t>(running_.size());
  if (priority > PriorityClass::kSystem) places -= kept_system;
  if (priority > PriorityClass::kInteractive) places -= kept_interactive;
  return places > 0;
}

// The others are what waited first, but for those that lacked blocks and may be passed over.
void World::check_admissions(const StepPlan& plan, size_t num_old) {
  expect(plan.preempted.empty() || plan.sequences.size() == num_old,
         "a step that preempts admits nobody");
  passed_over_.clear();
  for (size_t i = num_old; i < plan.sequences.size(); ++i) {
    const uint64_t id = plan.sequences[i].sequence->id;
    Known& known = live_.at(id);
    for (uint64_t next; (next = next_of_shadow()) != id;) {
      expect(next != 0 && static_cast<int32_t>(passed_over_.size()) < shadow_->bypass_window(),
             "no waiter is skipped");
      passed_over_.push_back(next);
      ++coverage_.passed_over;
      shadow_->skip(next);
    }
    if (!passed_over_.empty()) {
      const int32_t num_held = blocks_to_admit(live_.at(passed_over_[0]));
      expect(blocks_to_admit(known) + num_held <= config_.num_blocks,
             "whoever is passed over keeps the blocks that it needs");
      expect(running_.size() + 1 < static_cast<size_t>(config_.max_num_seqs),
             "whoever is passed over keeps its place");
    }
    expect(!serves_by_arrival() || id == first_waiting(), "no waiter is skipped");
    expect(has_place(known.priority), "a reserved place is given to its class alone");
    shadow_->admit(*known.sequence);
    known.is_running = true;
    known.is_safe = known.num_preemptions >= config_.max_preemptions;
    coverage_.safe_admissions += known.is_safe && config_.max_preemptions > 0;
    running_.push_back(id);
    check_admitted(known);
    known.was_admitted = true;
  }
  shadow_->restore();
}

// Where less of it is cached than was thought, another may be first.
uint64_t World::next_of_shadow() {
  while (true) {
    const uint64_t id = shadow_->next(TimePoint(Duration(tick_)));
    if (id == 0 || !shadow_->follow_prefix(*live_.at(id).sequence)) return id;
  }
}

// The blocks that an admission has to find, those of its prefix hit with them.
int32_t World::blocks_to_admit(const Known& known) const {
  const bool needs_all = known.num_preemptions >= config_.max_preemptions;
  return blocks_for(needs_all ? known.max_total : known.sequence->num_tokens());
}

void World::check_admitted(const Known& known) {
  const Sequence& seq = *known.sequence;
  const int32_t hit = seq.num_computed_tokens;
  expect(hit % config_.block_size == 0 && hit < seq.num_tokens(),
         "a prefix hit is whole blocks and leaves a token to compute");
  expect(hit == 0 || (config_.enable_prefix_caching && !seq.bypass_prefix_cache),
         "no hit without a cache");
  if (!known.was_admitted) expect(seq.num_cached_tokens == hit, "the first hit is recorded");
  if (!known.is_safe) return;
  expect(static_cast<int32_t>(seq.block_table.size()) == blocks_for(known.max_total),
         "after the last preemption all blocks are reserved");
}

// Work conservation: a chunk is cut, and a waiter left, only for lack of something.
void World::check_nobody_forgotten(const StepPlan& plan) {
  const SchedulerStats stats = scheduler_->stats();
  const bool has_outputs = plan.num_outputs < max_logits_rows();
  const bool has_budget = plan.num_tokens < config_.max_num_batched_tokens && has_outputs;
  const int32_t num_available = stats.num_free_blocks + stats.num_cached_blocks;
  if (!plan.preempted.empty()) return;
  // A row of logits was kept for each that ran behind a chunk, and those that are prefilled have
  // not used it.
  const auto num_unused = static_cast<int32_t>(
      std::count_if(plan.sequences.begin(), plan.sequences.end(),
                    [](const ScheduledSequence& s) { return s.num_outputs == 0; }));
  const bool has_rows = has_budget && plan.num_outputs + num_unused < max_logits_rows();
  for (const ScheduledSequence& scheduled : plan.sequences) {
    if (scheduled.produces_token()) continue;
    ++coverage_.chunks;
    coverage_.cut_by_outputs += !has_outputs;
    if (ends_for_checkpoint(scheduled)) continue;
    expect(!has_rows || num_available == 0, "a chunk is cut only by budget or blocks");
  }
  const uint64_t head = passed_over_.empty() ? next_of_shadow() : passed_over_[0];
  if (head == 0 || (!has_budget && passed_over_.empty())) return;
  if (std::any_of(plan.sequences.begin(), plan.sequences.end(),
                  [this](const ScheduledSequence& s) { return ends_for_checkpoint(s); }))
    return;  // nothing is admitted behind it
  if (!has_place(live_.at(head).priority)) return;
  ++coverage_.blocked_heads;
  expect(blocks_to_admit(live_.at(head)) > num_available, "a waiter that fits is admitted");
}

void World::check_state() {
  scheduler_->check_invariants();
  const SchedulerStats stats = scheduler_->stats();
  std::vector<uint8_t> is_used(config_.num_blocks, false);
  int64_t waiting_tokens = 0;
  for (const auto& [id, known] : live_) {
    const Sequence& seq = *known.sequence;
    expect(seq.id == id && seq.num_preemptions == known.num_preemptions, "counters are right");
    const auto state = known.is_running ? SequenceState::kRunning : SequenceState::kWaiting;
    expect(seq.state == state, "a sequence's state is right");
    if (!known.is_running) waiting_tokens += seq.num_tokens();
    for (const int32_t block : seq.block_table) is_used[block] = true;
  }
  const auto num_used = std::count(is_used.begin(), is_used.end(), true);
  expect(stats.num_used_blocks == num_used, "used blocks are those in block tables");
  expect(
      stats.num_free_blocks + stats.num_used_blocks + stats.num_cached_blocks == config_.num_blocks,
      "free + used + cached = total");
  expect(config_.enable_prefix_caching || stats.num_cached_blocks == 0, "no cache, nothing cached");
  expect(stats.num_running == static_cast<int32_t>(running_.size()), "running ones are counted");
  expect(stats.num_waiting == static_cast<int32_t>(live_.size() - running_.size()),
         "waiting ones are counted");
  expect(stats.num_waiting_tokens == waiting_tokens, "waiting tokens are counted");
  expect(scheduler_->has_work() == !live_.empty(), "has_work() is right");
}

}  // namespace tern
