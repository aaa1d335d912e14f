#include "scheduler/scheduler.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "scheduler/scheduler_impl.h"

namespace tern {

Result<std::unique_ptr<Scheduler>> Scheduler::create(const SchedulerConfig& config) {
  TERN_ASSIGN(std::unique_ptr<Policy> policy, make_policy(config));
  return create(config, std::move(policy));
}

Result<std::unique_ptr<Scheduler>> Scheduler::create(const SchedulerConfig& config,
                                                     std::unique_ptr<Policy> policy) {
  TERN_TRY(config.validate());
  return std::unique_ptr<Scheduler>(
      new Scheduler(std::make_unique<Impl>(config, std::move(policy))));
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scheduler::~Scheduler() = default;

Status Scheduler::add(std::unique_ptr<Sequence> seq) {
  return impl_->add(std::move(seq));
}

const StepPlan& Scheduler::schedule(TimePoint now) {
  return impl_->schedule(now);
}

std::vector<std::unique_ptr<Sequence>> Scheduler::commit(const StepResult& result) {
  return impl_->commit(result);
}

std::unique_ptr<Sequence> Scheduler::abort(uint64_t id) {
  return impl_->abort(id);
}

void Scheduler::pause(uint64_t id) {
  impl_->pause(id);
}

void Scheduler::resume(uint64_t id) {
  impl_->resume(id);
}

void Scheduler::rescore(uint64_t id, double expected_output_tokens, uint64_t ranker_version) {
  impl_->rescore(id, expected_output_tokens, ranker_version);
}

void Scheduler::use_ranker(uint64_t version) {
  impl_->use_ranker(version);
}

int32_t Scheduler::flush_prefix_cache() {
  TERN_CHECK(impl_->plan.empty(), "flush_prefix_cache() while a step is in flight");
  return impl_->flush_prefix_cache();
}

Status Scheduler::reconfigure(const SchedulerConfig& config) {
  return impl_->reconfigure(config);
}

bool Scheduler::has_work() const {
  return !impl_->entries.empty();
}

SchedulerStats Scheduler::stats() const {
  return impl_->stats();
}

const SchedulerConfig& Scheduler::config() const {
  return impl_->config;
}

void Scheduler::check_invariants() const {
  impl_->check_invariants();
}

Scheduler::Impl::Impl(const SchedulerConfig& config, std::unique_ptr<Policy> policy)
    : config(config),
      max_logits_rows(config.max_logits_rows > 0 ? config.max_logits_rows : config.max_num_seqs),
      policy(std::move(policy)),
      blocks(config.num_blocks),
      slots(config.num_state_slots, config.num_blocks) {
  running.reserve(config.max_num_seqs);
  running_sequences.reserve(config.max_num_seqs);
  plan.sequences.reserve(config.max_num_seqs);
  plan.preempted.reserve(config.max_num_seqs);
  if (slots.is_enabled()) plan.slot_copies.reserve(3 * size_t(config.max_num_seqs));
}

Status Scheduler::Impl::reconfigure(const SchedulerConfig& next) {
  TERN_CHECK(plan.empty(), "reconfigure() while a step is in flight");
  TERN_TRY(next.validate());
  const auto fixed = [](const SchedulerConfig& c) {
    return std::tuple(c.num_blocks, c.block_size, c.max_model_len, c.max_preemptions,
                      c.num_state_slots);
  };
  if (fixed(next) != fixed(config))
    return invalid_argument(
        "num_blocks, block_size, max_model_len, max_preemptions, num_state_slots: count at start "
        "only");
  if (next.policy != config.policy) {
    TERN_ASSIGN(std::unique_ptr<Policy> made, make_policy(next));
    use_policy(std::move(made));
  }
  config = next;
  return {};
}

Status Scheduler::Impl::check(const Sequence& seq) const {
  const std::string name = "sequence " + std::to_string(seq.id);
  const auto refuse = [&](Code code, const std::string& why) {
    return Status(code, name + ": " + why);
  };
  if (seq.num_prompt_tokens < 1) {
    return refuse(Code::kInvalidArgument, "num_prompt_tokens must be at least 1, is " +
                                              std::to_string(seq.num_prompt_tokens));
  }
  if (seq.token_ids.size() != static_cast<size_t>(seq.num_prompt_tokens)) {
    return refuse(Code::kInvalidArgument, "token_ids must be the num_prompt_tokens (" +
                                              std::to_string(seq.num_prompt_tokens) +
                                              ") tokens of the prompt, has " +
                                              std::to_string(seq.token_ids.size()));
  }
  if (seq.max_tokens < 0) {
    return refuse(Code::kInvalidArgument,
                  "max_tokens must be at least 0, is " + std::to_string(seq.max_tokens));
  }
  if (seq.priority > PriorityClass::kBulk) {
    return refuse(
        Code::kInvalidArgument,
        "priority " + std::to_string(static_cast<int>(seq.priority)) + " is no priority class");
  }
  if (entries.contains(seq.id)) return refuse(Code::kAlreadyExists, "a live one has this id");

  const int64_t num_tokens = int64_t{seq.num_prompt_tokens} + seq.max_tokens;
  const int64_t pool_tokens = int64_t{config.num_blocks} * config.block_size;
  const std::string sum = "prompt (" + std::to_string(seq.num_prompt_tokens) + ") + max_tokens (" +
                          std::to_string(seq.max_tokens) + ") is " + std::to_string(num_tokens) +
                          " tokens, over ";
  if (num_tokens > config.max_model_len) {
    return refuse(Code::kOutOfRange, sum + "max_model_len " + std::to_string(config.max_model_len));
  }
  if (num_tokens > pool_tokens) {
    return refuse(Code::kOutOfRange, sum + "the " + std::to_string(pool_tokens) +
                                         " of the whole KV pool (num_blocks " +
                                         std::to_string(config.num_blocks) + " x block_size " +
                                         std::to_string(config.block_size) + ")");
  }
  return {};
}

Status Scheduler::Impl::add(std::unique_ptr<Sequence> seq) {
  TERN_CHECK(plan.empty(), "add() while a step is in flight");
  TERN_TRY(check(*seq));
  seq->state = SequenceState::kWaiting;
  seq->num_computed_tokens = seq->num_cached_tokens = 0;
  seq->num_preemptions = seq->num_recomputed_tokens = 0;
  seq->block_table.clear();
  num_waiting_tokens += seq->num_tokens();
  Entry& entry = entries[seq->id];
  entry.sequence = std::move(seq);
  wait(entry, entry.sequence->arrival);
  return {};
}

std::vector<std::unique_ptr<Sequence>> Scheduler::Impl::commit(const StepResult& result) {
  std::vector<std::unique_ptr<Sequence>> ended;
  plan.slot_copies.clear();  // they are done; those of checkpoints are for the next plan
  auto next = result.sequences.begin();
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const uint64_t id = scheduled.sequence->id;
    Entry& entry = entries.at(id);
    const bool has_result = next != result.sequences.end() && next->id == id;
    const SequenceResult* own = has_result ? &*next++ : nullptr;
    if (!entry.is_aborted) {
      TERN_CHECK(own != nullptr, "commit() lacks a result, or has them out of the plan's order");
      apply(entry, *own);
    }
    entry.num_scheduled = entry.num_draft = 0;
    if (entry.is_aborted || own->finished)
      ended.push_back(retire(entry, entry.is_aborted ? Leave::kAborted : Leave::kFinished));
  }
  TERN_CHECK(next == result.sequences.end(), "commit() has a result for what the plan lacks");
  plan.sequences.clear();
  if (entries.empty()) last_step_at.reset();  // what follows is no step, but rest
  tell_of_published();
  return ended;
}

void Scheduler::Impl::apply(Entry& entry, const SequenceResult& result) {
  Sequence& seq = *entry.sequence;
  const std::vector<int32_t>& drafts = seq.demand.draft_token_ids;
  const int32_t num_known = entry.num_scheduled - entry.num_draft;
  const int32_t num_rejected = entry.num_scheduled - result.num_kept;
  const int32_t num_kept_drafts = std::max(entry.num_draft - num_rejected, 0);
  const bool produces_token = seq.num_computed_tokens + num_known == seq.num_tokens();
  TERN_CHECK(result.num_kept >= 0 && num_rejected >= 0, "a row stays computed or does not");
  TERN_CHECK(result.token_ids.empty() || produces_token, "an unfinished prefill gives no token");
  TERN_CHECK(
      result.token_ids.size() >= static_cast<size_t>(num_kept_drafts) &&
          std::equal(drafts.begin(), drafts.begin() + num_kept_drafts, result.token_ids.begin()),
      "the drafts that stay are the tokens that are appended");
  const bool stays = settle_slot(entry, num_rejected > 0);
  const int32_t end = seq.num_computed_tokens + (stays ? result.num_kept : 0);
  const int32_t num_recomputed =
      std::max(0, std::min(end, entry.num_ever_computed) - seq.num_computed_tokens);
  seq.num_recomputed_tokens += num_recomputed;
  counters.num_recomputed_tokens += num_recomputed;
  entry.num_ever_computed = std::max(entry.num_ever_computed, end);

  seq.num_computed_tokens = end;
  seq.token_ids.insert(seq.token_ids.end(), result.token_ids.begin(), result.token_ids.end());
  seq.demand.reset();
  shrink_block_table(entry);
  publish_full_blocks(entry, seq.num_computed_tokens);
  take_checkpoint(entry);
  TERN_CHECK(seq.num_output_tokens() <= seq.max_tokens, "more tokens than max_tokens");
  if (result.finished) return;
  TERN_CHECK(num_missing_tokens(seq) > 0, "a sequence that goes on needs a token to compute");
  TERN_CHECK(!produces_token || seq.num_output_tokens() < seq.max_tokens,
             "a sequence goes on beyond max_tokens");
}

// False where the step's rows are to be forgotten altogether: a state cannot go back by one row,
// but only to what it was before the step. What the step has appended is computed once more then.
bool Scheduler::Impl::settle_slot(Entry& entry, bool rejects) {
  if (!slots.is_enabled()) return true;
  TERN_CHECK(!rejects || entry.backup_slot != kNoSlot,
             "where a model has state, only steps with drafts reject rows");
  if (rejects) std::swap(entry.sequence->state_slot, entry.backup_slot);
  free_slot(entry.backup_slot);
  return !rejects;
}

// Where the state is that behind a published block which has no checkpoint yet.
void Scheduler::Impl::take_checkpoint(const Entry& entry) {
  const Sequence& seq = *entry.sequence;
  if (!slots.is_enabled() || !config.enable_prefix_caching) return;
  if (seq.num_computed_tokens == 0 || seq.num_computed_tokens % config.block_size != 0) return;
  const int32_t last = seq.num_computed_tokens / config.block_size - 1;
  const int32_t block = blocks.find(entry.block_hashes[last]);
  if (block == kNoBlock || slots.checkpoint_of(block) != kNoSlot) return;
  const int32_t slot = slots.allocate();
  if (slot == kNoSlot) return;
  slots.make_checkpoint(slot, block);
  plan.slot_copies.push_back({seq.state_slot, slot});
}

void Scheduler::Impl::free_slot(int32_t& slot) {
  if (slot != kNoSlot) slots.free(slot);
  slot = kNoSlot;
}

int32_t Scheduler::Impl::flush_prefix_cache() {
  const int32_t num_dropped = blocks.drop_cached();
  for (int32_t block = 0; slots.is_enabled() && block < blocks.num_blocks(); ++block) {
    if (!blocks.is_published(block)) slots.drop_checkpoint(block);
  }
  return num_dropped;
}

// The blocks that rejected rows alone have used return.
void Scheduler::Impl::shrink_block_table(Entry& entry) {
  if (entry.is_safe) return;
  Sequence& seq = *entry.sequence;
  const auto num_needed = static_cast<size_t>(num_blocks_for(seq.num_computed_tokens));
  while (seq.block_table.size() > num_needed) {
    blocks.free(seq.block_table.back());
    seq.block_table.pop_back();
  }
}

// Those of its first `num_tokens` tokens, which are known and computed.
void Scheduler::Impl::publish_full_blocks(Entry& entry, int32_t num_tokens) {
  if (!config.enable_prefix_caching) return;
  const Sequence& seq = *entry.sequence;
  const int32_t num_full = num_tokens / config.block_size;
  hash_blocks(entry, num_full);
  for (int32_t& i = entry.num_published; i < num_full; ++i) {
    blocks.publish(seq.block_table[i], entry.block_hashes[i]);
    if (!watch.empty()) published.push_back(entry.block_hashes[i]);
  }
}

// From the tail: the first freed is the first evicted, and a tail without its head is never found.
void Scheduler::Impl::release_blocks(Entry& entry) {
  std::vector<int32_t>& table = entry.sequence->block_table;
  std::for_each(table.rbegin(), table.rend(), [&](int32_t block) { blocks.free(block); });
  table.clear();
  free_slot(entry.sequence->state_slot);
  free_slot(entry.backup_slot);
  entry.num_published = 0;
  entry.is_safe = entry.has_overtaken = false;
}

// Takes a sequence out of everything; no step in flight may compute it.
std::unique_ptr<Sequence> Scheduler::Impl::retire(Entry& entry, Leave why) {
  Sequence& seq = *entry.sequence;
  if (seq.state == SequenceState::kRunning) {
    policy->left(seq, why);
    std::erase(running, &entry);
    release_blocks(entry);
  } else if (entry.is_paused) {
    num_waiting_tokens -= seq.num_tokens();
  } else {
    policy->remove(seq);
    wait_no_longer(entry);
  }
  seq.state = SequenceState::kFinished;
  return std::move(entries.extract(seq.id).mapped().sequence);
}

std::unique_ptr<Sequence> Scheduler::Impl::abort(uint64_t id) {
  const auto it = entries.find(id);
  if (it == entries.end()) return nullptr;
  Entry& entry = it->second;
  if (entry.num_scheduled > 0) {
    entry.is_aborted = true;
    return nullptr;
  }
  return retire(entry, Leave::kAborted);
}

void Scheduler::Impl::pause(uint64_t id) {
  TERN_CHECK(plan.empty(), "pause() while a step is in flight");
  const auto it = entries.find(id);
  if (it == entries.end() || it->second.is_paused) return;
  Entry& entry = it->second;
  Sequence& seq = *entry.sequence;
  entry.is_paused = true;
  if (seq.state == SequenceState::kWaiting) {
    policy->remove(seq);
    return leave_queue(entry);
  }
  std::erase(running, &entry);
  put_out(entry);
}

void Scheduler::Impl::resume(uint64_t id) {
  TERN_CHECK(plan.empty(), "resume() while a step is in flight");
  const auto it = entries.find(id);
  if (it == entries.end() || !std::exchange(it->second.is_paused, false)) return;
  wait(it->second, it->second.sequence->arrival);
}

SchedulerStats Scheduler::Impl::stats() const {
  SchedulerStats s = counters;
  s.num_running = static_cast<int32_t>(running.size());
  s.num_waiting = static_cast<int32_t>(entries.size() - running.size());
  s.num_waiting_tokens = num_waiting_tokens;
  s.max_num_seqs = config.max_num_seqs;
  s.num_blocks = blocks.num_blocks();
  s.block_size = config.block_size;
  s.num_free_blocks = blocks.num_free();
  s.num_used_blocks = blocks.num_used();
  s.num_cached_blocks = blocks.num_cached();
  s.num_evicted_blocks = blocks.num_evicted();
  return s;
}

void Scheduler::Impl::check_invariants() const {
  std::vector<int32_t> expected_refs(config.num_blocks, 0);
  size_t num_running = 0;
  int64_t waiting_tokens = 0;
  for (const auto& [id, entry] : entries) {
    const Sequence& seq = *entry.sequence;
    TERN_CHECK(seq.id == id, "a sequence is known by its id");
    TERN_CHECK(seq.num_preemptions <= config.max_preemptions, "preemptions are bounded");
    TERN_CHECK(num_missing_tokens(seq) > 0, "a live sequence has something to compute");
    for (const int32_t block : seq.block_table) ++expected_refs[block];
    if (seq.state == SequenceState::kWaiting) {
      TERN_CHECK(seq.block_table.empty() && seq.num_computed_tokens == 0 && !entry.is_safe,
                 "a waiting sequence holds nothing");
      TERN_CHECK(entry.num_scheduled == 0, "a waiting sequence is in no plan");
      waiting_tokens += seq.num_tokens();
      continue;
    }
    ++num_running;
    TERN_CHECK(entry.num_draft <= entry.num_scheduled, "drafts are rows");
    TERN_CHECK(std::count(running.begin(), running.end(), &entry) == 1, "runs, so listed once");
    const auto num_owned = static_cast<int32_t>(seq.block_table.size());
    const int32_t num_tokens = entry.is_safe ? seq.num_prompt_tokens + seq.max_tokens
                                             : seq.num_computed_tokens + entry.num_scheduled;
    TERN_CHECK(num_owned == num_blocks_for(num_tokens), "a block table covers what it must");
  }
  TERN_CHECK(num_running == running.size(), "only live sequences run");
  TERN_CHECK(waiting_tokens == num_waiting_tokens, "waiting tokens are counted");
  blocks.check_invariants(expected_refs);
  check_slots();
}

void Scheduler::Impl::check_slots() const {
  std::vector<int32_t> used;
  for (const auto& [id, entry] : entries) {
    const Sequence& seq = *entry.sequence;
    const bool has_slot = slots.is_enabled() && seq.state == SequenceState::kRunning;
    TERN_CHECK((seq.state_slot != kNoSlot) == has_slot, "what runs has its slot of state");
    TERN_CHECK(entry.backup_slot == kNoSlot || (has_slot && entry.num_draft > 0),
               "a state is backed up for drafts");
    for (const int32_t slot : {seq.state_slot, entry.backup_slot}) {
      if (slot != kNoSlot) used.push_back(slot);
    }
  }
  slots.check_invariants(used);
  for (int32_t block = 0; block < blocks.num_blocks(); ++block) {
    TERN_CHECK(slots.checkpoint_of(block) == kNoSlot || blocks.is_published(block),
               "a checkpoint is of a published block");
  }
}

}  // namespace tern
