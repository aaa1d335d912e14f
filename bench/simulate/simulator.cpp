#include "bench/simulate/simulator.h"

#include <algorithm>
#include <string>

#include "bench/support/trace.h"

namespace tern::bench {
namespace {

// Token ids carry names: two of them hold the 62 bits that begin each named block. Those of prompts
// without names and of answers are set apart by a high bit.
constexpr uint64_t kNameBits = 31;
constexpr uint32_t kLowBits = (uint32_t{1} << kNameBits) - 1;
constexpr uint64_t kOwnName = uint64_t{1} << 61;
constexpr int32_t kAnswerToken = 1 << 30;

TimePoint at(double seconds) {
  return TimePoint(to_duration(Seconds(seconds)));
}

std::vector<int32_t> prompt_tokens(const SourceRow& row, uint64_t index) {
  std::vector<int32_t> tokens(size_t(row.input_tokens), 0);
  for (size_t block = 0; block * kTraceBlockTokens < tokens.size(); ++block) {
    const size_t begin = block * kTraceBlockTokens;
    const bool is_named = block < row.blocks.size();
    const uint64_t name = is_named ? row.blocks[block] : kOwnName | index;
    tokens[begin] = int32_t(name & kLowBits);
    if (begin + 1 < tokens.size()) tokens[begin + 1] = int32_t(name >> kNameBits & kLowBits);
    if (!is_named) break;  // whoever differs once shares nothing behind
  }
  return tokens;
}

class Simulation {
 public:
  Simulation(std::unique_ptr<Scheduler> scheduler, const LoadSource& source,
             std::span<const SimArrival> arrivals, const SimulationOptions& options)
      : scheduler_(std::move(scheduler)), source_(source), arrivals_(arrivals), options_(options) {
    out_.records.resize(arrivals.size());
    for (size_t i = 0; i < arrivals.size(); ++i) {
      out_.records[i].row = arrivals[i].row;
      out_.records[i].arrival_s = arrivals[i].at_s;
    }
  }

  Result<SimOutcome> run() {
    while (next_ < arrivals_.size() || scheduler_->has_work()) {
      TERN_TRY(add_arrived());
      const StepPlan& plan = scheduler_->schedule(now_);
      if (!plan.empty()) {
        step(plan);
      } else if (next_ < arrivals_.size()) {
        now_ = at(arrivals_[next_].at_s);
      } else if (scheduler_->has_work()) {
        return Status(Code::kInternal,
                      "the policy admits none of those that wait, and nothing runs");
      }
    }
    out_.stats = scheduler_->stats();
    out_.end_s = to_seconds(now_.time_since_epoch());
    return std::move(out_);
  }

 private:
  Status add_arrived() {
    for (; next_ < arrivals_.size() && at(arrivals_[next_].at_s) <= now_; ++next_) {
      const SourceRow& row = source_.rows[size_t(arrivals_[next_].row)];
      auto seq = std::make_unique<Sequence>();
      seq->id = next_;
      seq->arrival = at(arrivals_[next_].at_s);
      seq->priority = row.priority;
      seq->num_prompt_tokens = row.input_tokens;
      seq->token_ids = prompt_tokens(row, next_);
      seq->max_tokens = max_tokens_of(row);
      seq->tenant = row.tenant;
      if (!options_.expected.empty())
        seq->expected_output_tokens = options_.expected[size_t(arrivals_[next_].row)];
      if (options_.tells_lengths) seq->hinted_output_tokens = row.output_tokens;
      TERN_TRY(scheduler_->add(std::move(seq)));
    }
    return {};
  }

  int32_t max_tokens_of(const SourceRow& row) const {
    const SchedulerConfig& config = scheduler_->config();
    const int64_t pool = int64_t{config.num_blocks} * config.block_size;
    const int64_t room = std::min<int64_t>(config.max_model_len, pool) - row.input_tokens;
    return int32_t(std::max<int64_t>(std::min<int64_t>(options_.max_tokens, room), 0));
  }

  void step(const StepPlan& plan) {
    const double begin_s = to_seconds(now_.time_since_epoch());
    const Seconds took = options_.cost.of(plan.num_tokens, int64_t(plan.sequences.size()));
    now_ += std::max(to_duration(took), Duration(1));
    out_.busy_s += took.count();
    const double end_s = to_seconds(now_.time_since_epoch());
    result_.sequences.resize(plan.sequences.size());  // kept, so that a step allocates nothing
    for (size_t i = 0; i < plan.sequences.size(); ++i) {
      SimRecord& record = out_.records[plan.sequences[i].sequence->id];
      if (record.admitted_s < 0) record.admitted_s = begin_s;
      set_result(plan.sequences[i], end_s, &record, &result_.sequences[i]);
    }
    if (options_.fails_all_when_kv_is_full && !plan.preempted.empty()) fail_all(plan);
    for (const std::unique_ptr<Sequence>& seq : scheduler_->commit(result_))
      out_.records[seq->id].num_preemptions = seq->num_preemptions;
  }

  void set_result(const ScheduledSequence& scheduled, double end_s, SimRecord* record,
                  SequenceResult* result) const {
    const Sequence& seq = *scheduled.sequence;
    result->id = seq.id;
    result->num_kept = scheduled.num_tokens;
    result->token_ids.clear();
    result->finished = false;
    if (!scheduled.produces_token()) return;
    result->token_ids.push_back(kAnswerToken | int32_t(seq.id));
    if (record->first_token_s < 0) record->first_token_s = end_s;
    if (seq.num_output_tokens() + 1 < source_.rows[size_t(record->row)].output_tokens) return;
    record->end_s = end_s;
    record->completed = result->finished = true;
  }

  // The step's results are lost with what computed them.
  void fail_all(const StepPlan& plan) {
    std::vector<uint64_t> ids = plan.preempted;
    for (const ScheduledSequence& scheduled : plan.sequences) ids.push_back(scheduled.sequence->id);
    for (const uint64_t id : ids) {
      SimRecord& record = out_.records[id];
      record.completed = false;
      record.end_s = to_seconds(now_.time_since_epoch());
      (void)scheduler_->abort(id);  // what is in the plan comes back by commit()
    }
  }

  const std::unique_ptr<Scheduler> scheduler_;
  const LoadSource& source_;
  const std::span<const SimArrival> arrivals_;
  const SimulationOptions options_;
  TimePoint now_;
  size_t next_ = 0;    // the next arrival
  StepResult result_;  // scratch of step()
  SimOutcome out_;
};

}  // namespace

Result<SimOutcome> simulate(std::unique_ptr<Scheduler> scheduler, const LoadSource& source,
                            std::span<const SimArrival> arrivals,
                            const SimulationOptions& options) {
  return Simulation(std::move(scheduler), source, arrivals, options).run();
}

}  // namespace tern::bench
