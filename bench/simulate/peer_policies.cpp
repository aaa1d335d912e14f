#include "bench/simulate/peer_policies.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace tern::bench {
namespace {

double arrival_of(const Sequence& seq) {
  return to_seconds(seq.arrival.time_since_epoch());
}

/// vLLM's queue: the preempted in front, the last one of them first, then the others by a key that
/// is theirs from their arrival on. The victim is who was admitted last.
class FrontQueue final : public Policy {
 public:
  /// Smaller ones go first; arrival and id decide between equal ones.
  using KeyOf = double (*)(const Sequence& seq);

  FrontQueue(KeyOf key_of, bool reads_prefix) : key_of_(key_of), reads_prefix_(reads_prefix) {}

  void add(Sequence& seq, TimePoint) override {
    const Key key = seq.num_preemptions > 0 ? Key(0, -double(++num_returned_), 0, seq.id)
                                            : Key(1, key_of_(seq), arrival_of(seq), seq.id);
    waiting_.emplace(key, &seq);
    keys_.emplace(seq.id, key);
  }
  Sequence* next(TimePoint) override {
    return waiting_.empty() ? nullptr : waiting_.begin()->second;
  }
  void admit(Sequence& seq) override {
    remove(seq);
    admitted_[seq.id] = ++num_admitted_;
  }
  void remove(Sequence& seq) override {
    const auto key = keys_.find(seq.id);
    waiting_.erase(key->second);
    keys_.erase(key);
  }
  void adopt(Sequence& seq) override { admitted_[seq.id] = ++num_admitted_; }
  void left(const Sequence& seq, Leave) override { admitted_.erase(seq.id); }
  bool before(const Sequence& a, const Sequence& b) const override {
    return std::pair(admission_of(a), a.id) < std::pair(admission_of(b), b.id);
  }
  bool reads_prefix() const override { return reads_prefix_; }

 private:
  using Key = std::tuple<int, double, double, uint64_t>;  // is new, key, arrival, id

  uint64_t admission_of(const Sequence& seq) const {
    const auto found = admitted_.find(seq.id);
    return found == admitted_.end() ? ~uint64_t{0} : found->second;
  }

  const KeyOf key_of_;
  const bool reads_prefix_;
  std::map<Key, Sequence*> waiting_;
  std::unordered_map<uint64_t, Key> keys_;
  std::unordered_map<uint64_t, uint64_t> admitted_;  // of what runs, in which turn it was admitted
  uint64_t num_returned_ = 0, num_admitted_ = 0;
};

/// vLLM's `priority`: class, arrival, id; so the preempted keep their places, and the victim is the
/// last in the same order.
class ByPriority final : public Policy {
 public:
  void add(Sequence& seq, TimePoint) override { waiting_.emplace(key(seq), &seq); }
  Sequence* next(TimePoint) override {
    return waiting_.empty() ? nullptr : waiting_.begin()->second;
  }
  void admit(Sequence& seq) override { remove(seq); }
  void remove(Sequence& seq) override { waiting_.erase(key(seq)); }
  bool before(const Sequence& a, const Sequence& b) const override { return key(a) < key(b); }

 private:
  using Key = std::tuple<PriorityClass, TimePoint, uint64_t>;
  static Key key(const Sequence& seq) { return {seq.priority, seq.arrival, seq.id}; }

  std::map<Key, Sequence*> waiting_;
};

std::unique_ptr<Policy> make_fifo(const SchedulerConfig&) {
  return std::make_unique<FrontQueue>([](const Sequence&) { return 0.0; }, false);
}

std::unique_ptr<Policy> make_by_priority(const SchedulerConfig&) {
  return std::make_unique<ByPriority>();
}

// Smith's rule with the uncached prompt as the work; a class is a strict tier. The key is that of
// the arrival, as the router has it.
std::unique_ptr<Policy> make_wspt(const SchedulerConfig& config) {
  return std::make_unique<FrontQueue>(
      [](const Sequence& seq) {
        constexpr double kTier = 1e12;
        return kTier * double(seq.priority) +
               std::max(1, seq.num_prompt_tokens - seq.num_prefix_tokens);
      },
      config.enable_prefix_caching);
}

template <SglOrder order>
std::unique_ptr<Policy> make_sgl_row(const SchedulerConfig& config) {
  return make_sgl(config, order);
}

}  // namespace

std::span<const PeerPolicy> peer_policies() {
  static const PeerPolicy table[] = {
      {"vllm-fcfs", make_fifo},
      {"vllm-priority", make_by_priority},
      {"sgl-fcfs", make_sgl_row<SglOrder::kFcfs>},
      {"sgl-lpm", make_sgl_row<SglOrder::kLongestMatch>},
      {"sgl-hrrn", make_sgl_row<SglOrder::kHrrn>},
      {"sgl-hrrn-nocut", make_sgl_row<SglOrder::kHrrnNoCut>},
      {"sgl-spf", make_sgl_row<SglOrder::kShortestPrefill>},
      {"dyn-wspt", make_wspt},
      {"llama-slots", make_fifo, true},
  };
  return table;
}

}  // namespace tern::bench
