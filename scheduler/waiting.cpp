// What waits: in which policy's hands, how much of it is cached, and what is kept free for whom.
#include <algorithm>
#include <tuple>

#include "scheduler/scheduler_impl.h"

namespace tern {
namespace {

// How often next_waiting() looks for a better one where the first had lost cached blocks.
constexpr int32_t kMostLooks = 16;

}  // namespace

void Scheduler::Impl::wait(Entry& entry, TimePoint now) {
  watch_prefix(entry, 0);
  policy->add(*entry.sequence, now);
}

void Scheduler::Impl::wait_no_longer(Entry& entry) {
  Sequence& seq = *entry.sequence;
  num_waiting_tokens -= seq.num_tokens();
  leave_queue(entry);
}

void Scheduler::Impl::leave_queue(Entry& entry) {
  unwatch_prefix(entry);
  if (held_id == entry.sequence->id) held_id.reset();
}

// Counts the leading blocks of a waiting sequence that are cached, the first `num_known` of which
// need no look, and waits for the next. Returns whether it is another number than before.
bool Scheduler::Impl::watch_prefix(Entry& entry, int32_t num_known) {
  Sequence& seq = *entry.sequence;
  unwatch_prefix(entry);
  const int32_t before = std::exchange(seq.num_prefix_tokens, 0);
  if (!policy->reads_prefix() || !config.enable_prefix_caching || seq.bypass_prefix_cache)
    return before != 0;
  const int32_t limit = most_cached_blocks(seq);
  int32_t num_stored = num_known;
  for (; num_stored < limit; ++num_stored) {
    hash_blocks(entry, num_stored + 1);
    if (blocks.find(entry.block_hashes[num_stored]) == kNoBlock) break;
  }
  if (num_stored < limit) {
    watch.watch(entry.block_hashes[num_stored], seq.id);
    entry.watched_block = num_stored;
  }
  seq.num_prefix_tokens = num_stored * config.block_size;
  return seq.num_prefix_tokens != before;
}

void Scheduler::Impl::unwatch_prefix(Entry& entry) {
  const int32_t block = std::exchange(entry.watched_block, -1);
  if (block >= 0) watch.unwatch(entry.block_hashes[block], entry.sequence->id);
}

// At the end of a commit(), so that a policy has heard of all that ended before keys change.
void Scheduler::Impl::tell_of_published() {
  for (const Sha256& hash : published) {
    for (const uint64_t id : watch.take(hash)) {
      Entry& waiting = entries.at(id);
      const int32_t block = std::exchange(waiting.watched_block, -1);
      if (watch_prefix(waiting, block)) policy->rekey(*waiting.sequence, Changed::kPrefix);
    }
  }
  published.clear();
}

// The policy's next. Cached blocks may have been evicted since they were counted, so its own are
// counted again; where some are gone, another may be first.
Sequence* Scheduler::Impl::next_waiting(TimePoint now) {
  for (int32_t num_looks = 0;; ++num_looks) {
    Sequence* next = policy->next(now);
    if (next == nullptr || !policy->reads_prefix() || num_looks == kMostLooks) return next;
    if (!watch_prefix(entries.at(next->id), 0)) return next;
    policy->rekey(*next, Changed::kPrefix);
  }
}

void Scheduler::Impl::use_policy(std::unique_ptr<Policy> next) {
  next->inherit(*policy);
  next->use_ranker(ranker_version);
  for (Entry* entry : running) next->adopt(*entry->sequence);
  std::vector<Entry*> waiting;
  for (auto& [id, entry] : entries) {
    if (entry.sequence->state == SequenceState::kWaiting && !entry.is_paused)
      waiting.push_back(&entry);
  }
  // They come by arrival, as a policy may learn from what arrives.
  std::ranges::sort(waiting, {}, [](const Entry* entry) {
    return std::tuple(entry->sequence->arrival, entry->sequence->id);
  });
  policy = std::move(next);
  for (Entry* entry : waiting) wait(*entry, entry->sequence->arrival);
}

void Scheduler::Impl::rescore(uint64_t id, double expected_output_tokens, uint64_t version) {
  TERN_CHECK(plan.empty(), "rescore() while a step is in flight");
  const auto it = entries.find(id);
  if (it == entries.end() || it->second.sequence->state != SequenceState::kWaiting) return;
  Sequence& seq = *it->second.sequence;
  seq.expected_output_tokens = expected_output_tokens;
  seq.ranker_version = version;
  if (!it->second.is_paused) policy->rekey(seq, Changed::kScore);
}

void Scheduler::Impl::use_ranker(uint64_t version) {
  TERN_CHECK(plan.empty(), "use_ranker() while a step is in flight");
  ranker_version = version;
  policy->use_ranker(version);
}

// The policy's next lacks blocks: from now on whoever is admitted past it is counted.
void Scheduler::Impl::hold_for(const Entry& entry) {
  num_held_blocks = num_blocks_to_admit(entry);
  if (std::exchange(held_id, entry.sequence->id) == entry.sequence->id) return;
  for (Entry* other : running) other->has_overtaken = false;
}

bool Scheduler::Impl::fits_beside_held(int32_t num_needed) const {
  size_t num_used = 0;
  for (const Entry* entry : running)
    num_used += entry->has_overtaken ? entry->sequence->block_table.size() : 0;
  return num_needed + static_cast<int64_t>(num_used) + num_held_blocks <= config.num_blocks;
}

// A step of n decodes takes what the base is, so an output token costs base / n.
void Scheduler::Impl::learn_step_cost(TimePoint now) {
  if (!last_step_at) return;
  const Seconds took = now - *last_step_at;
  last_step_at.reset();
  if (took <= Seconds(0)) return;
  constexpr double kNew = 0.01;
  const auto num_running = static_cast<double>(std::max<size_t>(running.size(), 1));
  mean_running += mean_running == 0 ? num_running : kNew * (num_running - mean_running);
  step_costs.observe(last_step_prefill, took);
  const auto line = step_costs.line();
  if (line && line->base > Seconds(0))
    policy->learn_prefill_weight(line->per_token / line->base * mean_running);
}

}  // namespace tern
