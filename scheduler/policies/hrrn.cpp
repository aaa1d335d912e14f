// Highest response ratio next, by work in place of time: a sequence's ratio is the work that all of
// the server has done since it arrived, over the work that it is itself. What is short goes first,
// what waits gains, and nothing starves.
#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "scheduler/policies/expected_length.h"
#include "scheduler/policies/keyed_order.h"

namespace tern {
namespace {

constexpr const PolicyKey* kKeys[] = {&kBypassWindowKey, &kPrefillWeightKey};

/// Order of service: priority class, preempted before new, ratio (greatest first), arrival, id. Two
/// ratios may change places as work goes on, so no heap holds them: next() looks at all that wait,
/// O(n), whatever n is. Prefill (weighed) and decode both count as work, in output tokens.
class HrrnPolicy final : public Policy {
 public:
  HrrnPolicy(int32_t bypass_window, const PrefillWeight& prefill_weight)
      : bypass_window_(bypass_window), prefill_weight_(prefill_weight) {}

  void add(Sequence& seq, TimePoint) override {
    if (seq.num_preemptions == 0) lengths_.arrived(seq);
    index_[seq.id] = waiting_.size();
    const double expected = lengths_.remaining(seq);
    waiting_.push_back({.work_before = work_,
                        .expected = expected,
                        .cost = cost(seq, expected),
                        .priority = seq.priority,
                        .is_new = seq.num_preemptions == 0,
                        .arrival = seq.arrival,
                        .id = seq.id,
                        .sequence = &seq});
  }

  Sequence* next(TimePoint) override {
    const Waiting* best = nullptr;
    for (const Waiting& each : waiting_) {
      if (!each.is_skipped && (best == nullptr || goes_before(each, *best))) best = &each;
    }
    return best == nullptr ? nullptr : best->sequence;
  }

  void admit(Sequence& seq) override { remove(seq); }

  void remove(Sequence& seq) override {
    const auto found = index_.find(seq.id);
    TERN_CHECK(found != index_.end(), "the policy does not hold this sequence");
    const size_t hole = found->second;
    index_.erase(found);
    if (hole + 1 != waiting_.size()) {
      waiting_[hole] = waiting_.back();
      index_[waiting_[hole].id] = hole;
    }
    waiting_.pop_back();
  }

  // The ratios of what runs would change places; the youngest gives way.
  bool before(const Sequence& a, const Sequence& b) const override {
    return std::tuple(a.priority, a.arrival, a.id) < std::tuple(b.priority, b.arrival, b.id);
  }

  int32_t bypass_window() const override { return bypass_window_; }
  void skip(Sequence& seq) override { waiting_[index_.at(seq.id)].is_skipped = true; }
  void restore() override {
    for (Waiting& each : waiting_) each.is_skipped = false;
  }

  bool reads_prefix() const override { return !prefill_weight_.is_off(); }

  void rekey(Sequence& seq, Changed what) override {
    Waiting& waiting = waiting_[index_.at(seq.id)];
    if (what == Changed::kScore) {
      lengths_.arrived(seq);
      waiting.expected = lengths_.remaining(seq);
    }
    waiting.cost = cost(seq, waiting.expected);
  }

  void use_ranker(uint64_t version) override {
    lengths_.use_ranker(version);
    for (Waiting& each : waiting_) {
      each.expected = lengths_.remaining(*each.sequence);
      each.cost = cost(*each.sequence, each.expected);
    }
  }

  void inherit(const Policy& previous) override {
    if (const auto* other = dynamic_cast<const HrrnPolicy*>(&previous)) lengths_ = other->lengths_;
  }

  void left(const Sequence& seq, Leave why) override {
    if (why == Leave::kFinished) lengths_.finished(seq);
  }

  void learn_prefill_weight(double weight) override { prefill_weight_.learn(weight); }

  void stepped(const StepPlan& plan) override {
    for (const ScheduledSequence& scheduled : plan.sequences) {
      const Sequence& seq = *scheduled.sequence;
      const int32_t num_prompt =
          std::clamp(seq.num_prompt_tokens - seq.num_computed_tokens, 0, scheduled.num_tokens);
      work_ += prefill_weight_.value() * num_prompt + (scheduled.num_tokens - num_prompt);
    }
  }

 private:
  struct Waiting {
    double work_before = 0;
    double expected = 0;  // of its answer, as it was thought when it came or was scored
    double cost = 0;
    PriorityClass priority{};
    bool is_new = true, is_skipped = false;
    TimePoint arrival;
    uint64_t id = 0;
    Sequence* sequence = nullptr;
  };

  // Never 0, so that a ratio exists.
  double cost(const Sequence& seq, double expected) const {
    return std::max(prefill_weight_.cost(seq) + expected, 1e-3);
  }

  bool goes_before(const Waiting& a, const Waiting& b) const {
    const auto rank = [this](const Waiting& each) {
      const double ratio = (work_ - each.work_before) / each.cost;
      return std::tuple(each.priority, each.is_new, -ratio, each.arrival, each.id);
    };
    return rank(a) < rank(b);
  }

  const int32_t bypass_window_;
  PrefillWeight prefill_weight_;
  double work_ = 0;  // of all steps so far
  ExpectedLength lengths_;
  std::vector<Waiting> waiting_;  // in no order
  std::unordered_map<uint64_t, size_t> index_;
};

}  // namespace

std::span<const PolicyKey* const> hrrn_keys() {
  return kKeys;
}

Result<std::unique_ptr<Policy>> make_hrrn(const SchedulerConfig& config) {
  return std::unique_ptr<Policy>(std::make_unique<HrrnPolicy>(
      kBypassWindowKey.integer(config.policy), PrefillWeight(config.policy)));
}

}  // namespace tern
