// What the scheduler's tests share: sequences in one line, and a loop that runs steps.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/scheduler.h"

namespace tern {

inline TimePoint at(int64_t ticks) {
  return TimePoint(Duration(ticks));
}

/// Token ids first, first + 1, …
inline std::vector<int32_t> tokens(int32_t count, int32_t first = 100) {
  std::vector<int32_t> ids(count);
  for (int32_t i = 0; i < count; ++i) ids[i] = first + i;
  return ids;
}

/// Arrives at tick `id`.
inline std::unique_ptr<Sequence> sequence(uint64_t id, std::vector<int32_t> prompt,
                                          int32_t max_tokens) {
  auto seq = std::make_unique<Sequence>();
  seq->id = id;
  seq->arrival = at(static_cast<int64_t>(id));
  seq->num_prompt_tokens = static_cast<int32_t>(prompt.size());
  seq->token_ids = std::move(prompt);
  seq->max_tokens = max_tokens;
  return seq;
}

/// Results for a whole plan: `token` where one is due; whoever has max_tokens then is finished.
inline StepResult results(const StepPlan& plan, int32_t token = 7) {
  StepResult result;
  for (const ScheduledSequence& scheduled : plan.sequences) {
    const Sequence& seq = *scheduled.sequence;
    SequenceResult own{.id = seq.id, .num_kept = scheduled.num_tokens, .token_ids = {}};
    if (scheduled.produces_token()) {
      own.token_ids = {token};
      own.finished = seq.num_output_tokens() + 1 == seq.max_tokens;
    }
    result.sequences.push_back(own);
  }
  return result;
}

/// (id, tokens) of each scheduled sequence.
inline std::vector<std::pair<uint64_t, int32_t>> summary(const StepPlan& plan) {
  std::vector<std::pair<uint64_t, int32_t>> rows;
  for (const ScheduledSequence& s : plan.sequences) rows.emplace_back(s.sequence->id, s.num_tokens);
  return rows;
}

/// One whole step; returns the sequences that ended in it.
inline std::vector<std::unique_ptr<Sequence>> step(Scheduler& scheduler) {
  const StepPlan& plan = scheduler.schedule(at(0));
  auto ended = scheduler.commit(results(plan));
  scheduler.check_invariants();
  return ended;
}

/// Steps until nothing is left; returns the ids in the order in which they ended.
inline std::vector<uint64_t> run_all(Scheduler& scheduler) {
  std::vector<uint64_t> ids;
  while (scheduler.has_work()) {
    for (const auto& seq : step(scheduler)) ids.push_back(seq->id);
  }
  return ids;
}

}  // namespace tern
