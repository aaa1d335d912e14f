// Random scenarios: a little world around a Scheduler adds, steps, finishes, aborts and flushes,
// and knows from its own bookkeeping what the scheduler must do.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <tuple>

#include "scheduler/policy.h"
#include "scheduler/scheduler.h"

namespace tern {
namespace {

uint64_t mix(uint64_t a, uint64_t b) {
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
  void add_sequence();
  void try_bad_add();
  void step();
  void execute(const StepPlan& plan);
  StepResult draw_results(const StepPlan& plan, std::vector<uint64_t>& ended);
  void abort(uint64_t id, const StepPlan* in_flight);
  void pause(uint64_t id);
  void resume(uint64_t id);
  void flush();
  void finish();

  void check_plan(const StepPlan& plan);
  void check_victims(const StepPlan& plan);
  void check_running(const StepPlan& plan, size_t num_old);
  bool has_place(PriorityClass priority) const;
  void check_admissions(const StepPlan& plan, size_t num_old);
  void check_admitted(const Known& known);
  void check_nobody_forgotten(const StepPlan& plan);
  void check_state();

  bool goes_before(uint64_t a, uint64_t b, bool resumed_first) const;
  uint64_t first_waiting() const;  // 0: none
  int32_t blocks_for(int32_t tokens) const;
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
  std::map<uint64_t, Known> live_;
  std::vector<uint64_t> running_;              // in the order of admission
  std::vector<uint64_t> kv_;                   // content of every slot of the pool
  std::vector<std::vector<int32_t>> streams_;  // prompts begin with a piece of one of these
  int32_t num_to_add_ = 0;
  uint64_t last_id_ = 0;
  int64_t tick_ = 0;
  int64_t max_steps_ = 0;  // no schedule needs more: each computes a token, see scheduler_impl.h
  uint64_t num_operations_ = 0;
  uint64_t digest_ = 0;
};

World::World(uint64_t scenario, Coverage& coverage)
    : scenario_(scenario), coverage_(coverage), rng_(static_cast<uint32_t>(scenario)) {
  draw_config();
  auto made = Scheduler::create(config_);
  expect(made.ok(), "the drawn config is valid");
  scheduler_ = *std::move(made);
  kv_.assign(static_cast<size_t>(config_.num_blocks) * config_.block_size, 0);
}

void World::draw_config() {
  constexpr int32_t kBlockSizes[] = {1, 1, 2, 2, 3, 4, 4, 16};
  config_.block_size = kBlockSizes[draw(8)];
  config_.num_blocks = static_cast<int32_t>(3 + draw(one_in(4) ? 12 : 4));
  config_.max_num_seqs = static_cast<int32_t>(1 + draw(6));
  config_.max_num_batched_tokens =
      config_.max_num_seqs + static_cast<int32_t>(draw(one_in(3) ? 3 : 24));
  const int32_t pool_tokens = config_.num_blocks * config_.block_size;
  config_.max_model_len = one_in(2) ? std::max(2, pool_tokens / 2) : pool_tokens;
  config_.enable_prefix_caching = !one_in(4);
  config_.max_preemptions = static_cast<int32_t>(draw(4));
  config_.policy.name = policies()[scenario_ % policies().size()].name;
  if (config_.policy.name == "priority" && one_in(2)) {
    const uint32_t num_reserved = draw(static_cast<uint32_t>(config_.max_num_seqs));
    reserved_system_ = static_cast<int32_t>(draw(num_reserved + 1));
    reserved_interactive_ = static_cast<int32_t>(num_reserved) - reserved_system_;
    config_.policy.settings = {{"reserved_seqs_system", reserved_system_},
                               {"reserved_seqs_interactive", reserved_interactive_}};
  }
  num_to_add_ = static_cast<int32_t>(2 + draw(10));
  for (std::vector<int32_t>& stream : streams_ = {{}, {}}) {
    for (int i = 0; i < 80; ++i) stream.push_back(static_cast<int32_t>(draw(3)));
  }
}

uint64_t World::run() {
  while (num_to_add_ > 0 || scheduler_->has_work()) {
    ++num_operations_;
    const uint32_t choice = draw(16);
    if (choice < 5) {
      add_sequence();
    } else if (choice == 5 && one_in(3)) {
      abort(1 + draw(static_cast<uint32_t>(last_id_) + 2), nullptr);
    } else if (choice == 6 && one_in(4)) {
      flush();
    } else if (choice == 7 && one_in(4)) {
      try_bad_add();
    } else if (choice == 8 && one_in(2)) {
      pause(1 + draw(static_cast<uint32_t>(last_id_) + 2));
    } else if (choice == 9) {
      resume(1 + draw(static_cast<uint32_t>(last_id_) + 2));
    } else {
      step();
    }
    check_state();
  }
  finish();
  return digest_;
}

void World::add_sequence() {
  if (num_to_add_ == 0) return;
  --num_to_add_;
  const int32_t limit = config_.max_model_len;
  // Half of them have short prompts and long answers: these grow into each other.
  const int32_t longest = (one_in(2) ? 4 : 1) * config_.block_size;
  const auto prompt_len = static_cast<int32_t>(1 + draw(std::min(limit - 1, longest)));
  const int32_t most = std::min(limit - prompt_len, 4 * config_.block_size + 4);
  auto seq = std::make_unique<Sequence>();
  seq->id = ++last_id_;
  tick_ += draw(3);
  seq->arrival = TimePoint(Duration(tick_ - (one_in(8) ? 5 : 0)));
  seq->priority = static_cast<PriorityClass>(draw(4));
  seq->cache_salt = one_in(4) ? "b" : "a";
  seq->bypass_prefix_cache = one_in(8);
  seq->num_prompt_tokens = prompt_len;
  seq->max_tokens = most - static_cast<int32_t>(draw(one_in(2) ? 3 : most));
  seq->max_tokens = one_in(30) ? 0 : std::max(1, seq->max_tokens);
  const std::vector<int32_t>& stream = streams_[draw(2)];
  seq->token_ids.assign(stream.begin(), stream.begin() + prompt_len);
  if (one_in(4)) seq->token_ids[draw(prompt_len)] ^= 1;

  Known& known = live_[seq->id];
  known.sequence = seq.get();
  known.priority = seq->priority;
  known.arrival = seq->arrival;
  known.max_total = prompt_len + seq->max_tokens;
  extend_content(known);
  max_steps_ += int64_t{config_.max_preemptions + 1} * known.max_total;
  expect(scheduler_->add(std::move(seq)).ok(), "a sequence that fits is taken");
}

void World::try_bad_add() {
  auto seq = std::make_unique<Sequence>();
  seq->token_ids = {1};
  seq->num_prompt_tokens = 1;
  if (!live_.empty() && one_in(2)) {
    seq->id = live_.begin()->first;
    seq->max_tokens = 1;
    expect(scheduler_->add(std::move(seq)).code() == Code::kAlreadyExists, "ids are unique");
    return;
  }
  seq->id = 1000;
  seq->max_tokens = config_.max_model_len;
  expect(scheduler_->add(std::move(seq)).code() == Code::kOutOfRange, "what cannot fit is refused");
}

void World::step() {
  tick_ += draw(2);
  const StepPlan& plan = scheduler_->schedule(TimePoint(Duration(tick_)));
  check_plan(plan);
  check_state();
  if (plan.empty()) return;
  ++coverage_.steps;
  expect(--max_steps_ >= 0, "everything ends: too many steps");
  while (one_in(12)) {
    abort(1 + draw(static_cast<uint32_t>(last_id_) + 1), &plan);
    check_state();
  }
  execute(plan);
  std::vector<uint64_t> expected;
  const StepResult result = draw_results(plan, expected);
  const auto ended = scheduler_->commit(result);
  expect(plan.empty(), "the plan is empty after its commit");
  expect(ended.size() == expected.size(), "commit returns what ended");
  for (size_t i = 0; i < ended.size(); ++i) {
    expect(ended[i]->id == expected[i] && ended[i]->state == SequenceState::kFinished,
           "commit returns what ended, in the plan's order");
    expect(ended[i]->block_table.empty(), "what ended owns no block");
    expect(ended[i].get() == live_.at(expected[i]).sequence, "the pointer stays what it was");
    digest(ended[i]->id);
    digest(static_cast<uint64_t>(ended[i]->num_recomputed_tokens));
    std::erase(running_, ended[i]->id);
    live_.erase(ended[i]->id);
  }
  for (auto& [id, known] : live_) extend_content(known);
}

// The step as the device runs it: reads all stored KV of each sequence, then writes the new.
void World::execute(const StepPlan& plan) {
  const auto slot = [&](const Sequence& seq, int32_t position) -> uint64_t& {
    const int32_t block = seq.block_table[position / config_.block_size];
    return kv_[static_cast<size_t>(block) * config_.block_size + position % config_.block_size];
  };
  for (const auto& [seq, num_tokens, num_draft, num_outputs] : plan.sequences) {
    const Known& known = live_.at(seq->id);
    for (int32_t p = 0; p < seq->num_computed_tokens; ++p) {
      expect(slot(*seq, p) == known.content[p], "a block table holds the sequence's own KV");
    }
  }
  for (const auto& [seq, num_tokens, num_draft, num_outputs] : plan.sequences) {
    const Known& known = live_.at(seq->id);
    const int32_t end = seq->num_computed_tokens + num_tokens;
    for (int32_t p = seq->num_computed_tokens; p < end; ++p) slot(*seq, p) = known.content[p];
  }
  for (const auto& [seq, num_tokens, num_draft, num_outputs] : plan.sequences) {
    const Known& known = live_.at(seq->id);
    for (int32_t p = 0; p < seq->num_computed_tokens + num_tokens; ++p) {
      expect(slot(*seq, p) == known.content[p], "a step writes to nobody else's block");
    }
  }
}

StepResult World::draw_results(const StepPlan& plan, std::vector<uint64_t>& ended) {
  StepResult result;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    const bool is_aborted = live_.at(seq.id).is_aborted;
    SequenceResult own{
        .id = seq.id, .num_kept = scheduled.num_tokens, .token_ids = {}, .finished = one_in(80)};
    if (scheduled.produces_token()) {
      own.finished |= seq.num_output_tokens() + 1 >= seq.max_tokens;
      const bool may_lack = own.finished && one_in(4);
      if (seq.max_tokens > 0 && !may_lack) own.token_ids = {static_cast<int32_t>(draw(2))};
    }
    if (is_aborted || own.finished) ended.push_back(seq.id);
    if (!is_aborted || one_in(2)) result.sequences.push_back(own);
  }
  return result;
}

void World::abort(uint64_t id, const StepPlan* in_flight) {
  const auto it = live_.find(id);
  const bool is_planned = in_flight != nullptr && it != live_.end() &&
                          it->second.is_running;  // all that run are planned
  const auto returned = scheduler_->abort(id);
  digest(id);
  if (it == live_.end() || is_planned) {
    expect(returned == nullptr, "an unknown or planned sequence is not returned by abort");
    if (is_planned) {
      it->second.is_aborted = true;
      ++coverage_.aborts_in_flight;
    }
    return;
  }
  expect(returned.get() == it->second.sequence, "abort returns the sequence");
  expect(returned->state == SequenceState::kFinished && returned->block_table.empty(),
         "an aborted sequence owns nothing");
  ++(it->second.is_running ? coverage_.aborts_running : coverage_.aborts_waiting);
  std::erase(running_, id);
  live_.erase(it);
}

void World::pause(uint64_t id) {
  scheduler_->pause(id);
  const auto it = live_.find(id);
  if (it == live_.end() || it->second.is_paused) return;
  Known& known = it->second;
  ++(known.is_running ? coverage_.pauses_running : coverage_.pauses_waiting);
  known.is_paused = true;
  known.is_running = known.is_safe = false;
  std::erase(running_, id);
  max_steps_ += known.max_total;  // it may have all to compute again
}

void World::resume(uint64_t id) {
  scheduler_->resume(id);
  const auto it = live_.find(id);
  if (it == live_.end()) return;
  coverage_.resumes += it->second.is_paused;
  it->second.is_paused = false;
}

void World::flush() {
  const int32_t num_cached = scheduler_->stats().num_cached_blocks;
  expect(scheduler_->flush_prefix_cache() == num_cached, "flush frees all cached blocks");
  expect(scheduler_->stats().num_cached_blocks == 0, "flush leaves no cached block");
}

void World::finish() {
  const SchedulerStats stats = scheduler_->stats();
  coverage_.prefix_hits += stats.prefix_cache_hit_tokens > 0;
  coverage_.evictions += stats.num_evicted_blocks > 0;
  expect(live_.empty(), "everything added has ended");
  expect(stats.num_used_blocks == 0, "no block is lost");
  expect(stats.num_waiting_tokens == 0, "no waiting token is left");
  flush();
  expect(scheduler_->stats().num_free_blocks == config_.num_blocks, "every block is free again");
}

void World::extend_content(Known& known) {
  const Sequence& seq = *known.sequence;
  for (size_t i = known.content.size(); i < seq.token_ids.size(); ++i) {
    const uint64_t parent =
        i == 0 ? static_cast<uint64_t>(seq.cache_salt[0]) : known.content[i - 1];
    known.content.push_back(mix(parent, static_cast<uint64_t>(seq.token_ids[i])));
  }
}

int32_t World::blocks_for(int32_t tokens) const {
  return (tokens + config_.block_size - 1) / config_.block_size;
}

// A context for Catch costs more than a whole step: the message is made only when it is needed.
void World::expect(bool ok, const char* what) const {
  if (ok) return;
  FAIL("scenario " << scenario_ << " (" << config_.policy.name << ", " << config_.num_blocks
                   << " blocks of " << config_.block_size << "), operation " << num_operations_
                   << ": not true: " << what);
}

void World::digest(uint64_t value) {
  digest_ = mix(digest_, value);
}

// The rules of Scheduler, checked after each operation.

// The policies' order, written a second time.
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

  int32_t num_tokens = 0;
  for (const auto& [seq, tokens, num_draft, num_outputs] : plan.sequences) {
    num_tokens += tokens;
    digest(seq->id);
    digest(static_cast<uint64_t>(tokens));
    for (const int32_t block : seq->block_table) digest(static_cast<uint64_t>(block));
    expect(tokens >= 1, "a scheduled sequence computes a token");
    expect(seq->num_computed_tokens + tokens <= seq->num_tokens(),
           "only known tokens are computed");
    const auto covered = static_cast<int32_t>(seq->block_table.size()) * config_.block_size;
    expect(seq->num_computed_tokens + tokens <= covered, "the block table covers the chunk");
  }
  expect(num_tokens == plan.num_tokens, "the plan's tokens are summed");
  expect(num_tokens <= config_.max_num_batched_tokens, "the budget is kept");
  expect(plan.sequences.size() <= static_cast<size_t>(config_.max_num_seqs),
         "max_num_seqs is kept");
}

// Victims come from the back of the policy's order, and never one whose blocks are reserved.
void World::check_victims(const StepPlan& plan) {
  for (const uint64_t id : plan.preempted) {
    digest(id);
    Known& victim = live_.at(id);
    expect(victim.is_running, "a victim ran");
    expect(!victim.is_safe, "a sequence with reserved blocks is no victim");
    for (const uint64_t other : running_) {
      expect(live_.at(other).is_safe || !goes_before(id, other, false),
             "a victim is the last of the policy's order");
    }
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

// The others are what waited first.
void World::check_admissions(const StepPlan& plan, size_t num_old) {
  expect(plan.preempted.empty() || plan.sequences.size() == num_old,
         "a step that preempts admits nobody");
  for (size_t i = num_old; i < plan.sequences.size(); ++i) {
    const uint64_t id = plan.sequences[i].sequence->id;
    expect(id == first_waiting(), "no waiter is skipped");
    Known& known = live_.at(id);
    expect(has_place(known.priority), "a reserved place is given to its class alone");
    known.is_running = true;
    known.is_safe = known.num_preemptions >= config_.max_preemptions;
    coverage_.safe_admissions += known.is_safe && config_.max_preemptions > 0;
    running_.push_back(id);
    check_admitted(known);
    known.was_admitted = true;
  }
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
  const bool has_budget = plan.num_tokens < config_.max_num_batched_tokens;
  const int32_t num_available = stats.num_free_blocks + stats.num_cached_blocks;
  if (!plan.preempted.empty()) return;
  for (const auto& [seq, tokens, num_draft, num_outputs] : plan.sequences) {
    if (seq->num_computed_tokens + tokens == seq->num_tokens()) continue;
    ++coverage_.chunks;
    expect(!has_budget || num_available == 0, "a chunk is cut only by budget or blocks");
  }
  const uint64_t head = first_waiting();
  if (head == 0 || !has_budget) return;
  if (!has_place(live_.at(head).priority)) return;
  ++coverage_.blocked_heads;
  const Known& known = live_.at(head);
  const bool needs_all = known.num_preemptions >= config_.max_preemptions;
  const int32_t needed = blocks_for(needs_all ? known.max_total : known.sequence->num_tokens());
  expect(needed > num_available, "a waiter that fits is admitted");
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

// Fewer where a seeded fault must be found, or a sanitizer slows everything down.
uint64_t num_scenarios() {
  const char* text = std::getenv("TERN_PROPERTY_SCENARIOS");
  return text == nullptr ? 100'000 : std::strtoull(text, nullptr, 10);
}

TEST_CASE("random scenarios keep every rule, and replay to the same plans",
          "[scheduler][property][EC-9][EC-10][EC-12][EC-14]") {
  const uint64_t count = num_scenarios();
  REQUIRE(count >= 1000);
  Coverage coverage, ignored;
  for (uint64_t scenario = 0; scenario < count; ++scenario) {
    const uint64_t digest = World(scenario, coverage).run();
    if (World(scenario, ignored).run() != digest)
      FAIL("scenario " << scenario << " replays differently");
  }
  // Each hard case was met often; the counts are the worlds' own.
  CHECK(coverage.steps > count * 10);
  CHECK(coverage.preemptions > count / 2);
  CHECK(coverage.safe_admissions > count / 20);
  CHECK(coverage.prefix_hits > count / 5);
  CHECK(coverage.evictions > count / 4);
  CHECK(coverage.chunks > count);
  CHECK(coverage.blocked_heads > count);
  CHECK(coverage.pauses_waiting > count / 20);
  CHECK(coverage.pauses_running > count / 20);
  CHECK(coverage.resumes > count / 20);
  CHECK(coverage.aborts_waiting > count / 20);
  CHECK(coverage.aborts_running > count / 20);
  CHECK(coverage.aborts_in_flight > count / 20);
}

}  // namespace
}  // namespace tern
