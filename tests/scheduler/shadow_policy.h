// A second policy beside the scheduler's own, for random scenarios.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/policy.h"

namespace tern {

/// Hears of everything that a scheduler must tell its policy, from what can be seen from outside,
/// and so knows whom the scheduler is to take. It keeps copies: a policy writes into its sequences.
class ShadowPolicy {
 public:
  explicit ShadowPolicy(const SchedulerConfig& config) : policy_(*make_policy(config)) {}

  void wait(const Sequence& real, TimePoint now) {
    policy_->add(copy(real), now);
    is_waiting_[real.id] = true;
  }
  void remove(uint64_t id) {
    policy_->remove(copies_.at(id));
    forget(id);
  }
  void forget(uint64_t id) {
    copies_.erase(id);
    is_waiting_.erase(id);
  }
  /// After schedule(): its computed tokens are those of the prefix hit.
  void admit(const Sequence& real) {
    policy_->admit(copy(real));
    is_waiting_[real.id] = false;
  }
  /// Counts what follow() has seen last.
  void put_out(uint64_t id) {
    policy_->left(copies_.at(id), Leave::kPutOut);
    forget(id);
  }
  void end(const Sequence& real, Leave why) {
    policy_->left(copy(real), why);
    forget(real.id);
  }
  void rescore(const Sequence& real) {
    if (is_waiting_.contains(real.id) && is_waiting_.at(real.id))
      policy_->rekey(copy(real), Changed::kScore);
  }
  void use_ranker(uint64_t version) {
    version_ = version;
    policy_->use_ranker(version);
  }

  /// What a step has changed of a live sequence.
  void follow(const Sequence& real) {
    if (copies_.contains(real.id)) follow_prefix(real), copy(real);
  }

  /// Whether more or less of what waits is cached than was known.
  bool follow_prefix(const Sequence& real) {
    const auto found = copies_.find(real.id);
    if (found == copies_.end() || !is_waiting_.at(real.id)) return false;
    Sequence& own = found->second;
    const int32_t before = std::exchange(own.num_prefix_tokens, real.num_prefix_tokens);
    if (before == real.num_prefix_tokens) return false;
    policy_->rekey(own, Changed::kPrefix);
    return true;
  }

  void take_over(const SchedulerConfig& config, const std::vector<uint64_t>& running) {
    std::unique_ptr<Policy> made = *make_policy(config);
    made->inherit(*policy_);
    made->use_ranker(version_);
    for (const uint64_t id : running) made->adopt(copies_.at(id));
    std::vector<Sequence*> waiting;
    for (auto& [id, each] : copies_)
      if (is_waiting_.at(id)) waiting.push_back(&each);
    std::ranges::sort(waiting, {},
                      [](const Sequence* seq) { return std::tuple(seq->arrival, seq->id); });
    for (Sequence* seq : waiting) made->add(*seq, seq->arrival);
    policy_ = std::move(made);
  }

  uint64_t next(TimePoint now) {
    const Sequence* seq = policy_->next(now);
    return seq == nullptr ? 0 : seq->id;
  }
  void skip(uint64_t id) { policy_->skip(copies_.at(id)); }
  void restore() { policy_->restore(); }
  int32_t bypass_window() const { return policy_->bypass_window(); }
  void stepped(const StepPlan& plan) { policy_->stepped(plan); }
  bool before(uint64_t a, uint64_t b) const {
    return policy_->before(copies_.at(a), copies_.at(b));
  }

 private:
  Sequence& copy(const Sequence& real) {
    Sequence& own = copies_[real.id];
    const double order_key = own.order_key;
    own = real;
    own.order_key = order_key;
    return own;
  }

  std::unique_ptr<Policy> policy_;
  uint64_t version_ = 0;
  std::map<uint64_t, Sequence> copies_;
  std::map<uint64_t, bool> is_waiting_;
};

}  // namespace tern
