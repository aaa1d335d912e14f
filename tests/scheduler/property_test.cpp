// Random scenarios: a little world around a Scheduler adds, steps, finishes, aborts and flushes,
// and knows from its own bookkeeping what the scheduler must do.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/scheduler/property_world.h"

namespace tern {

World::World(uint64_t scenario, Coverage& coverage)
    : scenario_(scenario), coverage_(coverage), rng_(static_cast<uint32_t>(scenario)) {
  draw_config();
  auto made = Scheduler::create(config_);
  expect(made.ok(), "the drawn config is valid");
  scheduler_ = *std::move(made);
  shadow_.emplace(config_);
  states_.assign(config_.num_state_slots, 0);
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
  has_drafts_ = one_in(2);
  if (one_in(2)) config_.num_state_slots = config_.max_num_seqs + static_cast<int32_t>(draw(6));
  if (one_in(2)) config_.max_logits_rows = config_.max_num_seqs + static_cast<int32_t>(draw(8));
  draw_policy(scenario_ % policies().size());
  num_to_add_ = static_cast<int32_t>(2 + draw(10));
  for (std::vector<int32_t>& stream : streams_ = {{}, {}}) {
    for (int i = 0; i < 80; ++i) stream.push_back(static_cast<int32_t>(draw(3)));
  }
}

void World::draw_policy(size_t index) {
  const PolicyInfo& info = policies()[index];
  config_.policy = {std::string(info.name), {}};
  reserved_system_ = reserved_interactive_ = 0;
  if (info.name == "priority" && one_in(2)) {
    const uint32_t num_reserved = draw(static_cast<uint32_t>(config_.max_num_seqs));
    reserved_system_ = static_cast<int32_t>(draw(num_reserved + 1));
    reserved_interactive_ = static_cast<int32_t>(num_reserved) - reserved_system_;
    config_.policy.settings = {{"reserved_seqs_system", reserved_system_},
                               {"reserved_seqs_interactive", reserved_interactive_}};
  }
  const std::map<std::string_view, std::vector<double>> values = {
      {"starve_s", {0, 2e-9, 5e-9, 120}},  // a tick is a nanosecond
      {"starve_quota", {0, 0.1, 0.5, 1}}, {"kv_bypass_window", {0, 1, 2, 8}},
      {"tenant_slack", {0, 1, 4, 8192}},  {"prefill_weight", {0, 0.1, 1, 3}},
      {"aging_tau_s", {0, 0, 1e-9, 1e-8}}};
  for (const PolicyKey* key : info.keys) {
    const auto found = values.find(key->name);
    // What is learnt of prefills by the steps' times cannot be known here.
    if (found != values.end() && (key->name == "prefill_weight" || !one_in(4)))
      config_.policy.settings[std::string(key->name)] = found->second[draw(4)];
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
    } else if (choice == 10 && one_in(2)) {
      rescore(1 + draw(static_cast<uint32_t>(last_id_) + 2));
    } else if (choice == 11 && one_in(16)) {
      switch_policy();
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
  seq->tenant = one_in(3) ? "b" : "a";
  seq->has_exact_length = one_in(8);
  seq->hinted_output_tokens = one_in(3) ? draw_length() : kUnknown;
  seq->expected_output_tokens = one_in(2) ? draw_length() : kUnknown;
  seq->ranker_version = draw(2);
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
  const Sequence& added = *seq;
  expect(scheduler_->add(std::move(seq)).ok(), "a sequence that fits is taken");
  shadow_->wait(added, added.arrival);
}

// Also what no ranker should say, and no client.
double World::draw_length() {
  constexpr double kStrange[] = {0, -1, 1e300, kUnknown, std::numeric_limits<double>::infinity()};
  return one_in(6) ? kStrange[draw(5)] : draw(40);
}

void World::rescore(uint64_t id) {
  const uint64_t version = draw(2);
  if (one_in(8)) {
    scheduler_->use_ranker(version);
    shadow_->use_ranker(version);
  }
  const double length = draw_length();
  scheduler_->rescore(id, length, version);
  const auto it = live_.find(id);
  if (it == live_.end() || it->second.is_running) return;
  ++coverage_.rescores;
  shadow_->rescore(*it->second.sequence);
}

void World::switch_policy() {
  draw_policy(draw(static_cast<uint32_t>(policies().size())));
  const bool is_same = config_.policy == scheduler_->config().policy;
  expect(scheduler_->reconfigure(config_).ok(), "the drawn policy is valid");
  if (!is_same) {
    shadow_->take_over(config_, running_);
    for (const auto& [id, known] : live_) shadow_->follow_prefix(*known.sequence);
  }
  ++coverage_.switches;
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
  draw_demands();
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
    const bool is_aborted = live_.at(expected[i]).is_aborted;
    shadow_->end(*ended[i], is_aborted ? Leave::kAborted : Leave::kFinished);
    std::erase(running_, ended[i]->id);
    live_.erase(ended[i]->id);
  }
  for (auto& [id, known] : live_) {
    extend_content(known);
    shadow_->follow(*known.sequence);
  }
}

// A state is known by its sequence's tokens, as the KV of the last of them is.
void World::run_states(const StepPlan& plan) {
  for (const auto& [from, to] : plan.slot_copies) states_.at(to) = states_.at(from);
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    if (states_.empty()) {
      expect(seq.state_slot == kNoSlot, "no slots, none given");
      continue;
    }
    const Known& known = live_.at(seq.id);
    uint64_t& state = states_.at(seq.state_slot);
    const int32_t begin = seq.num_computed_tokens;
    expect(begin == 0 || state == known.content[begin - 1], "a slot holds its sequence's state");
    if (begin == 0) state = static_cast<uint64_t>(seq.cache_salt[0]);
    for (int32_t p = begin; p < end_of(scheduled); ++p) {
      state = mix(state, static_cast<uint64_t>(seq.token_at(p)));
    }
  }
}

// The step as the device runs it: reads all stored KV of each sequence, then writes the new.
void World::execute(const StepPlan& plan) {
  run_states(plan);
  const auto slot = [&](const Sequence& seq, int32_t position) -> uint64_t& {
    const int32_t block = seq.block_table[position / config_.block_size];
    return kv_[static_cast<size_t>(block) * config_.block_size + position % config_.block_size];
  };
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    const Known& known = live_.at(seq.id);
    for (int32_t p = 0; p < seq.num_computed_tokens; ++p) {
      expect(slot(seq, p) == known.content[p], "a block table holds the sequence's own KV");
    }
  }
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    const Known& known = live_.at(seq.id);
    uint64_t last = 0;
    for (int32_t p = seq.num_computed_tokens; p < end_of(scheduled); ++p) {
      last = p < seq.num_tokens() ? known.content[p]
                                  : mix(last, static_cast<uint64_t>(seq.token_at(p)));
      slot(seq, p) = last;
    }
  }
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    const Known& known = live_.at(seq.id);
    for (int32_t p = 0; p < end_of(scheduled) - scheduled.num_draft; ++p) {
      expect(slot(seq, p) == known.content[p], "a step writes to nobody else's block");
    }
  }
}

StepResult World::draw_results(const StepPlan& plan, std::vector<uint64_t>& ended) {
  StepResult result;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    const bool is_aborted = live_.at(seq.id).is_aborted;
    SequenceResult own{.id = seq.id,
                       .num_kept = scheduled.num_tokens - scheduled.num_draft,
                       .token_ids = {},
                       .finished = one_in(80)};
    if (scheduled.produces_token()) draw_tokens(scheduled, own);
    if (is_aborted || own.finished) ended.push_back(seq.id);
    if (!is_aborted || one_in(2)) result.sequences.push_back(own);
  }
  return result;
}

// Of a sequence whose known tokens are all in the plan.
void World::draw_tokens(const ScheduledSequence& scheduled, SequenceResult& own) {
  const Sequence& seq = *scheduled.sequence;
  const int32_t num_left = seq.max_tokens - seq.num_output_tokens();
  const bool has_state = !states_.empty();
  if (has_drafts_ && num_left > 0 && one_in(16) && !has_state) {
    // A strategy of another kind: some known rows do not stay, and any number of tokens comes.
    const int32_t num_known = own.num_kept;
    const int32_t num_tokens = static_cast<int32_t>(draw(std::min(num_left, 4) + 1));
    own.num_kept = static_cast<int32_t>(draw(num_known + (num_tokens > 0)));
    max_steps_ += num_known;
    for (int32_t i = 0; i < num_tokens; ++i) own.token_ids.push_back(static_cast<int32_t>(draw(2)));
    own.finished |= num_tokens == num_left;
    return;
  }
  const auto num_right = static_cast<int32_t>(draw(scheduled.num_draft + 1));
  coverage_.drafts_kept += num_right;
  coverage_.drafts_rejected += scheduled.num_draft - num_right;
  own.num_kept += num_right;
  if (has_state && num_right < scheduled.num_draft) ++max_steps_;  // computes nothing that stays
  const std::vector<int32_t>& drafts = seq.demand.draft_token_ids;
  own.token_ids.assign(drafts.begin(), drafts.begin() + num_right);
  own.finished |= num_right + 1 >= num_left;
  const bool may_lack = own.finished && one_in(4);
  if (seq.max_tokens > 0 && !may_lack) own.token_ids.push_back(static_cast<int32_t>(draw(2)));
}

// What is demanded stays until a step has computed it.
void World::draw_demands() {
  if (!has_drafts_) return;
  for (auto& [id, known] : live_) {
    if (!one_in(3)) continue;
    Demand& demand = known.sequence->demand;
    demand.reset();
    for (uint32_t left = draw(7); left > 0; --left)
      demand.draft_token_ids.push_back(static_cast<int32_t>(draw(2)));
    const auto num_draft = static_cast<int32_t>(demand.draft_token_ids.size());
    demand.num_outputs =
        one_in(2) ? 1 + num_draft
                  : static_cast<int32_t>(draw(known.sequence->num_tokens() + num_draft + 1));
  }
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
  if (it->second.is_running)
    shadow_->end(*returned, Leave::kAborted);
  else if (!it->second.is_paused)
    shadow_->remove(id);
  std::erase(running_, id);
  live_.erase(it);
}

void World::pause(uint64_t id) {
  scheduler_->pause(id);
  const auto it = live_.find(id);
  if (it == live_.end() || it->second.is_paused) return;
  Known& known = it->second;
  ++(known.is_running ? coverage_.pauses_running : coverage_.pauses_waiting);
  if (known.is_running)
    shadow_->put_out(id);
  else
    shadow_->remove(id);
  known.is_paused = true;
  known.is_running = known.is_safe = false;
  std::erase(running_, id);
  max_steps_ += known.max_total;  // it may have all to compute again
}

void World::resume(uint64_t id) {
  scheduler_->resume(id);
  const auto it = live_.find(id);
  if (it == live_.end()) return;
  if (!std::exchange(it->second.is_paused, false)) return;
  ++coverage_.resumes;
  shadow_->wait(*it->second.sequence, it->second.arrival);
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

namespace {

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
  CHECK(coverage.drafts_kept > count);
  CHECK(coverage.drafts_rejected > count);
  CHECK(coverage.drafts_left_out > count);
  CHECK(coverage.cut_by_outputs > count / 20);
  CHECK(coverage.blocked_heads > count);
  CHECK(coverage.passed_over > count / 20);
  CHECK(coverage.rescores > count / 4);
  CHECK(coverage.switches > count / 10);
  CHECK(coverage.pauses_waiting > count / 20);
  CHECK(coverage.pauses_running > count / 20);
  CHECK(coverage.resumes > count / 20);
  CHECK(coverage.aborts_waiting > count / 20);
  CHECK(coverage.aborts_running > count / 20);
  CHECK(coverage.aborts_in_flight > count / 20);
}

}  // namespace
}  // namespace tern
