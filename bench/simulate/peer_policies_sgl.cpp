// SGLang's queue and its promise of memory (schedule_policy.py, schedule_batch.py of 0.5.23).
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/math.h"
#include "base/rng.h"
#include "bench/simulate/peer_policies.h"

namespace tern::bench {
namespace {

constexpr size_t kMostSorted = 128;      // beyond, lpm and hrrn leave the queue as it is
constexpr int32_t kSharedTokens = 32;    // of prompts that are not to be computed side by side
constexpr int32_t kMostReserved = 4096;  // new tokens that one request is charged for
constexpr double kFirstRatio = 0.7, kLeastRatio = 0.14 * kFirstRatio;
constexpr double kRatioStep = (kFirstRatio - kLeastRatio) / 600;
constexpr int32_t kStepsAfterRetraction = 20;

int32_t tokens_to_come(const Sequence& seq) {
  return std::min(seq.max_tokens - seq.num_output_tokens(), kMostReserved);
}

uint64_t hash_of_start(const Sequence& seq) {
  uint64_t hash = 0;
  for (int32_t i = 0; i < kSharedTokens; ++i)
    hash = random_bits(hash, RngStream::kSimulation, uint32_t(seq.token_ids[size_t(i)]));
  return hash;
}

class SglPolicy final : public Policy {
 public:
  SglPolicy(const SchedulerConfig& config, SglOrder order)
      : order_(order),
        block_size_(config.block_size),
        pool_tokens_(int64_t{config.num_blocks} * config.block_size),
        shares_blocks_(config.enable_prefix_caching),
        seen_in_(size_t(config.num_blocks), 0) {}

  void add(Sequence& seq, TimePoint) override {
    if (queue_.empty() && num_running_ == 0) ratio_ = kFirstRatio;  // was idle
    entries_[seq.id] = {.number = ++num_entries_, .work_before = work_};
    queue_.push_back(&seq);
    is_sorted_ = false;
  }

  Sequence* next(TimePoint now) override {
    if (now != pass_) admitted_in_pass_.clear();
    pass_ = now;
    if (!is_sorted_) sort();
    is_sorted_ = true;
    return queue_.empty() ? nullptr : queue_.front();
  }

  /// All that is promised to those that run, at the present ratio, and to this one, in full, must
  /// fit.
  bool may_admit(const Sequence& seq, std::span<const Sequence* const> running,
                 int32_t) const override {
    double promised = 0;
    for (const Sequence* other : running)
      promised += tokens_to_come(*other) * (admitted_in_pass_.contains(other->id) ? 1 : ratio_);
    const double wanted =
        double(seq.num_tokens()) - seq.num_prefix_tokens + tokens_to_come(seq) + block_size_;
    return wanted < double(pool_tokens_ - used_tokens(running)) - promised;
  }

  void admit(Sequence& seq) override {
    remove(seq);
    admitted_in_pass_.insert(seq.id);
    ++num_running_;
  }
  void remove(Sequence& seq) override {
    queue_.erase(std::ranges::find(queue_, &seq));
    entries_.erase(seq.id);
    is_sorted_ = false;
  }
  void adopt(Sequence&) override { ++num_running_; }
  void left(const Sequence&, Leave) override { --num_running_; }

  /// Who has generated most is kept longest, then who has the shortest prompt.
  bool before(const Sequence& a, const Sequence& b) const override {
    if (a.num_output_tokens() != b.num_output_tokens())
      return a.num_output_tokens() > b.num_output_tokens();
    return std::pair(a.num_prompt_tokens, a.id) < std::pair(b.num_prompt_tokens, b.id);
  }

  bool reads_prefix() const override { return shares_blocks_; }
  void rekey(Sequence&, Changed what) override { is_sorted_ &= what != Changed::kPrefix; }

  void stepped(const StepPlan& plan) override {
    double generated = 0, asked = 0, num_decoding = 0;
    for (const ScheduledSequence& scheduled : plan.sequences) {
      const Sequence& seq = *scheduled.sequence;
      const bool is_decode =
          seq.num_output_tokens() > 0 && seq.num_computed_tokens == seq.num_tokens() - 1;
      if (!is_decode) {
        work_ += scheduled.num_tokens;
        is_sorted_ &= order_ != SglOrder::kHrrn && order_ != SglOrder::kHrrnNoCut;
      }
      num_decoding += is_decode;
      generated += seq.num_output_tokens();
      asked += seq.max_tokens;
    }
    const double count = double(plan.sequences.size());
    if (!plan.preempted.empty())
      ratio_ = std::min(1.0, (generated + kStepsAfterRetraction * count) / (asked + 1));
    else if (num_decoding > 0)
      ratio_ = std::max(kLeastRatio, ratio_ - kRatioStep);
  }

 private:
  struct Entry {
    uint64_t number = 0;     // in the order in which they entered the queue
    double work_before = 0;  // work_ at that time
    bool is_deferred = false;
  };

  /// What a request is sorted by; equal ones stay as they are.
  struct Rank {
    bool is_deferred = false;
    double key = 0;
    uint64_t tie = 0;

    bool operator<(const Rank& other) const {
      return std::tie(is_deferred, key, tie) < std::tie(other.is_deferred, other.key, other.tie);
    }
  };

  bool has_cut() const { return order_ == SglOrder::kLongestMatch || order_ == SglOrder::kHrrn; }

  void sort() {
    if (order_ == SglOrder::kFcfs || (has_cut() && queue_.size() > kMostSorted)) return;
    defer_shared();
    const auto goes_first = [this](const Sequence* a, const Sequence* b) {
      return rank(*a) < rank(*b);
    };
    if (has_cut()) {
      std::ranges::stable_sort(queue_, goes_first);
    } else if (const auto first = std::ranges::min_element(queue_, goes_first);
               first != queue_.end()) {
      // The order of the others is never looked at, as it is made anew whenever one is gone.
      std::iter_swap(queue_.begin(), first);
    }
  }

  // Of those that begin alike and find nothing in the cache, the first computes it for the others.
  void defer_shared() {
    if (!shares_blocks_) return;
    std::unordered_set<uint64_t> starts;
    for (const Sequence* seq : queue_) {
      Entry& entry = entries_.at(seq->id);
      entry.is_deferred = seq->num_prefix_tokens <= kSharedTokens &&
                          seq->num_tokens() >= kSharedTokens &&
                          !starts.insert(hash_of_start(*seq)).second;
    }
  }

  Rank rank(const Sequence& seq) const {
    const Entry& entry = entries_.at(seq.id);
    Rank out{.is_deferred = entry.is_deferred};
    const double hit = seq.num_prefix_tokens;
    if (order_ == SglOrder::kLongestMatch) {
      out.key = -hit;
    } else if (order_ == SglOrder::kShortestPrefill) {
      out.key = std::max(1.0, seq.num_tokens() - hit);
      out.tie = entry.number;
    } else {
      const double uncached = std::max(0.0, seq.num_prompt_tokens - hit);
      out.key = uncached > 0 ? -(work_ - entry.work_before) / uncached : -1e300;
      out.tie = random_bits(0, RngStream::kSimulation, seq.id);  // ids are random text there
    }
    return out;
  }

  // The pool is taken by what is stored and what known tokens will need. Shared blocks count once.
  int64_t used_tokens(std::span<const Sequence* const> running) const {
    int64_t num_blocks = 0;
    ++look_;
    for (const Sequence* seq : running) {
      const auto num_held = int64_t(seq->block_table.size());
      num_blocks += std::max<int64_t>(ceil_div(seq->num_tokens(), block_size_) - num_held, 0);
      if (!shares_blocks_) num_blocks += num_held;
      for (size_t i = 0; shares_blocks_ && i < seq->block_table.size(); ++i) {
        uint64_t& seen = seen_in_[size_t(seq->block_table[i])];
        num_blocks += seen != look_;
        seen = look_;
      }
    }
    return num_blocks * block_size_;
  }

  const SglOrder order_;
  const int32_t block_size_;
  const int64_t pool_tokens_;
  const bool shares_blocks_;

  std::vector<Sequence*> queue_;
  bool is_sorted_ = true;
  std::unordered_map<uint64_t, Entry> entries_;  // of what waits
  uint64_t num_entries_ = 0;
  int64_t num_running_ = 0;
  double work_ = 0;  // prefill tokens since the start
  double ratio_ = kFirstRatio;
  TimePoint pass_;
  std::unordered_set<uint64_t> admitted_in_pass_;
  mutable std::vector<uint64_t> seen_in_;  // by block: the last look that counted it
  mutable uint64_t look_ = 0;
};

}  // namespace

std::unique_ptr<Policy> make_sgl(const SchedulerConfig& config, SglOrder order) {
  return std::make_unique<SglPolicy>(config, order);
}

}  // namespace tern::bench
