// schedule(): who gets how many tokens of the next step, and whose blocks pay for it.
#include <algorithm>
#include <limits>

#include "base/math.h"
#include "scheduler/scheduler_impl.h"

namespace tern {

const StepPlan& Scheduler::Impl::schedule(TimePoint now) {
  TERN_CHECK(plan.empty(), "schedule() before the commit() of the last plan");
  plan.preempted.clear();
  plan.num_tokens = plan.num_outputs = 0;

  learn_step_cost(now);
  schedule_running(now);
  const auto is_cut_short = [](const Entry* entry) { return entry->is_cut_short(); };
  if (plan.preempted.empty() && std::none_of(running.begin(), running.end(), is_cut_short))
    admit_waiting(now);
  schedule_drafts();

  for (const Entry* entry : running) {
    const Sequence& seq = *entry->sequence;
    plan.sequences.push_back({entry->sequence.get(), entry->num_scheduled, entry->num_draft,
                              num_outputs_of(seq, entry->num_scheduled)});
  }
  counters.num_steps += !plan.empty();
  counters.num_scheduled_tokens += plan.num_tokens;
  if (!plan.empty()) {
    policy->stepped(plan);
    last_step_at = now;
    last_step_prefill = plan.num_tokens - static_cast<int32_t>(plan.sequences.size());
  }
  return plan;
}

void Scheduler::Impl::schedule_running(TimePoint now) {
  const auto is_victim = [](const Entry* e) {
    return e->sequence->state != SequenceState::kRunning;
  };
  for (size_t i = 0; i < running.size(); ++i) {
    const auto num_behind = static_cast<int32_t>(running.size() - i - 1);
    if (!is_victim(running[i])) schedule_tokens(*running[i], num_behind, now);
  }
  std::erase_if(running, is_victim);  // only now: the loop walked the list
}

// As many known tokens as budget and blocks allow, and what runs behind leaves. Where not one more
// fits, others give way, or it does.
void Scheduler::Impl::schedule_tokens(Entry& entry, int32_t num_behind, TimePoint now) {
  Sequence& seq = *entry.sequence;
  const auto wanted =
      static_cast<int32_t>(std::min<int64_t>({num_missing_tokens(seq), budget() - num_behind,
                                              num_rows_with(seq, output_budget() - num_behind)}));
  TERN_CHECK(wanted > 0, "every running sequence finds budget");
  while (room(seq) == 0) {
    Entry& victim = last_unsafe();
    preempt(victim, now);
    if (&victim == &entry) return;
  }
  schedule_rows(entry, num_rows_to_checkpoint(seq, std::min(wanted, room(seq))));
}

// A state can be kept for others only as a step leaves it, so a chunk that would go beyond the last
// end of a block ends there.
int32_t Scheduler::Impl::num_rows_to_checkpoint(const Sequence& seq, int32_t num_rows) const {
  if (!slots.is_enabled() || !config.enable_prefix_caching) return num_rows;
  const int32_t end = std::min(seq.num_computed_tokens + num_rows, seq.num_tokens() - 1);
  const int32_t rows_to_end_of_block =
      end / config.block_size * config.block_size - seq.num_computed_tokens;
  return rows_to_end_of_block > 0 ? rows_to_end_of_block : num_rows;
}

// What is left once everything known has its place.
void Scheduler::Impl::schedule_drafts() {
  for (Entry* entry : running) {
    Sequence& seq = *entry->sequence;
    if (seq.demand.draft_token_ids.empty() || entry->is_cut_short()) continue;
    const int32_t num_outputs = num_outputs_of(seq, entry->num_scheduled) + output_budget();
    const auto num_draft = static_cast<int32_t>(
        std::min<int64_t>({static_cast<int64_t>(seq.demand.draft_token_ids.size()),
                           seq.max_draft_tokens(), budget(), room(seq) - entry->num_scheduled,
                           num_rows_with(seq, num_outputs) - entry->num_scheduled}));
    if (num_draft <= 0 || !back_up_slot(*entry)) continue;
    entry->num_draft = num_draft;
    schedule_rows(*entry, entry->num_scheduled + num_draft);
  }
}

// Whether drafts may follow: where one is wrong, the state before the step is needed again. They
// wait until there is one known token to compute, as a step that rejects a draft computes it for
// nothing.
bool Scheduler::Impl::back_up_slot(Entry& entry) {
  if (!slots.is_enabled()) return true;
  if (entry.num_scheduled > 1) return false;
  entry.backup_slot = slots.allocate();
  if (entry.backup_slot == kNoSlot) return false;
  plan.slot_copies.push_back({entry.sequence->state_slot, entry.backup_slot});
  return true;
}

// So many rows in all, for which there are blocks.
void Scheduler::Impl::schedule_rows(Entry& entry, int32_t num_rows) {
  Sequence& seq = *entry.sequence;
  plan.num_tokens += num_rows - entry.num_scheduled;
  plan.num_outputs += num_outputs_of(seq, num_rows) - num_outputs_of(seq, entry.num_scheduled);
  entry.num_scheduled = num_rows;
  grow_block_table(seq, num_blocks_for(seq.num_computed_tokens + num_rows));
}

void Scheduler::Impl::admit_waiting(TimePoint now) {
  int32_t num_skipped = 0;
  while (budget() > 0 && output_budget() > 0) {
    Sequence* next = next_waiting(now);
    if (next == nullptr || !has_place(*next, num_skipped > 0)) break;
    Entry& entry = entries.at(next->id);
    if (!try_admit(entry, num_skipped > 0)) {
      if (num_skipped == policy->bypass_window()) break;
      if (num_skipped++ == 0) hold_for(entry);
      policy->skip(*next);
      continue;
    }
    running.push_back(&entry);
    schedule_tokens(entry, 0, now);
    if (entry.is_cut_short()) break;
  }
  if (num_skipped > 0) policy->restore();
}

// Whether max_num_seqs has a place left, besides that of whom blocks are held for, and the policy
// gives it to this one.
bool Scheduler::Impl::has_place(const Sequence& seq, bool passes_over) {
  const int32_t num_places =
      config.max_num_seqs - static_cast<int32_t>(running.size()) - (passes_over ? 1 : 0);
  if (num_places <= 0 || running.empty()) return num_places > 0;
  running_sequences.clear();
  for (const Entry* entry : running) running_sequences.push_back(entry->sequence.get());
  return policy->may_admit(seq, running_sequences, num_places);
}

// How many blocks it has to find at its admission: those of its known tokens (of all possible ones
// after too many preemptions), as with fewer its prefill would soon have to preempt or to be
// preempted.
int32_t Scheduler::Impl::num_blocks_to_admit(const Entry& entry) const {
  const Sequence& seq = *entry.sequence;
  const bool is_safe = seq.num_preemptions >= config.max_preemptions;
  return num_blocks_for(is_safe ? seq.num_prompt_tokens + seq.max_tokens : seq.num_tokens());
}

bool Scheduler::Impl::try_admit(Entry& entry, bool passes_over) {
  Sequence& seq = *entry.sequence;
  match_prefix(entry);
  const int32_t num_needed = num_blocks_to_admit(entry);
  const auto num_matched = static_cast<int32_t>(matched.size());
  // A matched block that nobody uses is available as well, but not for another purpose.
  const auto num_revived = static_cast<int32_t>(std::count_if(
      matched.begin(), matched.end(), [&](int32_t block) { return blocks.is_cached(block); }));
  if (num_needed - num_matched > blocks.num_available() - num_revived) return false;
  if (passes_over && !fits_beside_held(num_needed)) return false;

  wait_no_longer(entry);
  reserve_memory(entry);
  for (const int32_t block : matched) {
    blocks.share(block);  // before anything is allocated, as that may evict
    seq.block_table.push_back(block);
  }
  entry.num_published = num_matched;
  entry.is_safe = seq.num_preemptions >= config.max_preemptions;
  entry.has_overtaken = passes_over;
  seq.state = SequenceState::kRunning;
  seq.num_computed_tokens = num_matched * config.block_size;
  if (entry.num_ever_computed == 0) seq.num_cached_tokens = seq.num_computed_tokens;
  if (entry.is_safe) grow_block_table(seq, num_needed);
  if (slots.is_enabled()) assign_slot(seq);
  if (config.enable_prefix_caching && !seq.bypass_prefix_cache) {
    counters.prefix_cache_query_tokens += seq.num_tokens();
    counters.prefix_cache_hit_tokens += seq.num_computed_tokens;
  }
  policy->admit(seq);
  return true;
}

// A slot with the state at the end of what was matched. There is one, as there are slots for all
// that may run, and what no sequence has is free or a checkpoint.
void Scheduler::Impl::assign_slot(Sequence& seq) {
  const int32_t checkpoint = matched.empty() ? kNoSlot : slots.checkpoint_of(matched.back());
  if (checkpoint != kNoSlot) slots.touch(matched.back());
  seq.state_slot = slots.allocate();
  TERN_CHECK(seq.state_slot != kNoSlot, "every running sequence finds a slot");
  // Where nothing else is left, it is the checkpoint's own slot.
  if (checkpoint != kNoSlot && checkpoint != seq.state_slot)
    plan.slot_copies.push_back({checkpoint, seq.state_slot});
}

// While it runs, nothing that belongs to a sequence grows on the heap.
void Scheduler::Impl::reserve_memory(Entry& entry) {
  Sequence& seq = *entry.sequence;
  const int32_t num_tokens = seq.num_prompt_tokens + seq.max_tokens;
  seq.token_ids.reserve(num_tokens);
  seq.block_table.reserve(num_blocks_for(num_tokens));
  if (config.enable_prefix_caching) entry.block_hashes.reserve(num_blocks_for(num_tokens));
}

// A hit never covers the last known token: that one must be computed, as its logits give the next.
int32_t Scheduler::Impl::most_cached_blocks(const Sequence& seq) const {
  return (seq.num_tokens() - 1) / config.block_size;
}

// Fills `matched` with the blocks of the longest stored prefix. Where the model has state, it ends
// with the last block that has a checkpoint of it.
void Scheduler::Impl::match_prefix(Entry& entry) {
  matched.clear();
  const Sequence& seq = *entry.sequence;
  if (!config.enable_prefix_caching || seq.bypass_prefix_cache) return;
  const int32_t limit = most_cached_blocks(seq);
  for (int32_t i = 0; i < limit; ++i) {
    hash_blocks(entry, i + 1);
    const int32_t block = blocks.find(entry.block_hashes[i]);
    if (block == kNoBlock) break;
    matched.push_back(block);
  }
  if (!slots.is_enabled()) return;
  while (!matched.empty() && slots.checkpoint_of(matched.back()) == kNoSlot) matched.pop_back();
}

void Scheduler::Impl::preempt(Entry& entry, TimePoint now) {
  Sequence& seq = *entry.sequence;
  plan.preempted.push_back(seq.id);
  plan.num_tokens -= entry.num_scheduled;
  plan.num_outputs -= num_outputs_of(seq, entry.num_scheduled);
  entry.num_scheduled = 0;
  put_out(entry);
  ++seq.num_preemptions;
  ++counters.num_preemptions;
  wait(entry, now);
}

// From running to neither; the caller takes it out of `running`.
void Scheduler::Impl::put_out(Entry& entry) {
  Sequence& seq = *entry.sequence;
  policy->left(seq, Leave::kPutOut);
  release_blocks(entry);
  seq.state = SequenceState::kWaiting;
  seq.num_computed_tokens = 0;
  num_waiting_tokens += seq.num_tokens();
}

Scheduler::Impl::Entry& Scheduler::Impl::last_unsafe() {
  Entry* last = nullptr;
  for (Entry* entry : running) {
    if (entry->is_safe || entry->sequence->state != SequenceState::kRunning) continue;
    if (last == nullptr || policy->before(*last->sequence, *entry->sequence)) last = entry;
  }
  TERN_CHECK(last != nullptr, "only an unsafe sequence asks for a block, so there is one");
  return *last;
}

int32_t Scheduler::Impl::num_blocks_for(int32_t num_tokens) const {
  return static_cast<int32_t>(ceil_div(int64_t{num_tokens}, config.block_size));
}

// Tokens that can still be computed without preempting anyone.
int32_t Scheduler::Impl::room(const Sequence& seq) const {
  const int64_t num_blocks = static_cast<int64_t>(seq.block_table.size()) + blocks.num_available();
  const int64_t tokens = num_blocks * config.block_size - seq.num_computed_tokens;
  return static_cast<int32_t>(std::min<int64_t>(tokens, std::numeric_limits<int32_t>::max()));
}

void Scheduler::Impl::grow_block_table(Sequence& seq, int32_t num_blocks) {
  while (static_cast<int32_t>(seq.block_table.size()) < num_blocks) {
    seq.block_table.push_back(blocks.allocate());
    slots.drop_checkpoint(seq.block_table.back());  // it may have held a prefix till now
  }
}

void Scheduler::Impl::hash_blocks(Entry& entry, int32_t num_blocks) {
  const Sequence& seq = *entry.sequence;
  std::vector<Sha256>& hashes = entry.block_hashes;
  while (static_cast<int32_t>(hashes.size()) < num_blocks) {
    const Sha256 parent = hashes.empty() ? hasher.root(seq.cache_salt) : hashes.back();
    const int32_t* tokens = seq.token_ids.data() + hashes.size() * config.block_size;
    hashes.push_back(hasher.block(parent, {tokens, static_cast<size_t>(config.block_size)}));
  }
}

}  // namespace tern
