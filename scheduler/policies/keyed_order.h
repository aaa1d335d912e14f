// The common body of policies that serve by a key of each sequence, least first.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "scheduler/policies/lazy_heap.h"
#include "scheduler/policies/prefill_weight.h"
#include "scheduler/policy.h"

namespace tern {

extern const PolicyKey kStarveKey, kStarveQuotaKey, kBypassWindowKey, kTenantSlackKey;

/// What operators set of every policy with keys, by the keys above.
struct KeyedSettings {
  /// A sequence that has waited for longer is starved.
  Duration starve_after{};
  /// This share of the admissions goes to the oldest starved sequence while there is one: 0
  /// none, 1 all of them (the rule of the PARS paper, which is FCFS in sustained overload).
  double starve_quota = 0;
  int32_t bypass_window = 0;
  /// How far the work done for one tenant may be ahead of that for another, in output tokens,
  /// before the other's sequences go first; 0: tenants are not told apart.
  double tenant_slack = 0;
  PrefillWeight prefill_weight{0};

  static KeyedSettings read(const PolicyConfig& config);
};

/// Order of service: priority class, preempted before new, tenants that are behind (by whole
/// tenant_slacks), key, arrival, id. Besides, one admission in 1 / starve_quota goes to the oldest
/// of all that have waited longer than starve_after, whatever its class: with a service rate of r
/// admissions a second, whoever starves behind k older ones waits at most
/// starve_after + (k + 1) / (starve_quota r), give or take one admission.
///
/// A key is fixed when a sequence begins to wait and when rekey() is called, and a NaN is as good
/// as the largest. Two heaps with lazy deletion, one by key for each tenant and one by arrival:
/// every call is O(log n).
class KeyedOrder : public Policy {
 public:
  explicit KeyedOrder(const KeyedSettings& settings);

  void add(Sequence& seq, TimePoint now) override;
  Sequence* next(TimePoint now) override;
  void admit(Sequence& seq) override;
  void remove(Sequence& seq) override;
  bool before(const Sequence& a, const Sequence& b) const override;
  int32_t bypass_window() const override { return settings_.bypass_window; }
  void skip(Sequence& seq) override;
  void restore() override;
  void rekey(Sequence& seq, Changed what) override;
  void inherit(const Policy& previous) override;
  void adopt(Sequence& seq) override;
  void left(const Sequence& seq, Leave why) override;
  void learn_prefill_weight(double weight) override { settings_.prefill_weight.learn(weight); }

  /// Nodes of all heaps, dead ones with them: for tests.
  size_t heap_size() const;

 protected:
  /// The part of the key that is what is thought of the answer. It is asked for when a sequence
  /// begins to wait and when it is scored, so what is learnt meanwhile changes no key.
  virtual double expect(const Sequence& seq) const {
    (void)seq;
    return 0;
  }
  /// The key of a sequence that waits, least first, with what expect() gave.
  virtual double key(const Sequence& seq, double expected) const = 0;
  /// What serving all of a sequence is thought to cost, in output tokens.
  virtual double cost(const Sequence& seq) const;
  /// A sequence arrived (it is not resumed), before its key is asked for.
  virtual void arrived(const Sequence& seq) { (void)seq; }

  /// All that wait are as if they had been scored just now.
  void rescore_all();
  const KeyedSettings& settings() const { return settings_; }

 private:
  // class, is new, key, arrival, id
  using Rank = std::tuple<uint8_t, bool, double, TimePoint, uint64_t>;
  // class, is new, slacks ahead, then as Rank
  using Place = std::tuple<uint8_t, bool, int64_t, double, TimePoint, uint64_t>;
  using ByKey = LazyHeap<Rank>;
  using ByAge = LazyHeap<std::pair<TimePoint, uint64_t>>;

  struct Tenant {
    double served = 0;  // output tokens of work, as far as they are charged
    ByKey heap;
    int32_t num_waiting = 0, num_running = 0;
    std::optional<Place> place;  // of its first, as it stands in places_
    bool is_active() const { return num_waiting + num_running > 0; }
  };
  using Tenants = std::unordered_map<std::string, Tenant>;

  struct Waiting {
    Sequence* sequence = nullptr;
    Tenants::value_type* tenant = nullptr;
    double expected = 0;
    uint64_t generation = 0;
    bool is_skipped = false;
  };
  struct Running {
    Tenants::value_type* tenant = nullptr;
    double charged = 0;
    int32_t num_computed_tokens = 0, num_output_tokens = 0;  // as it began to run
  };

  Tenants::value_type& tenant_of(const Sequence& seq);
  void retire_tenants();
  void charge(Tenants::value_type& tenant, double work);
  void place(Tenants::value_type& tenant);
  void push(Waiting& waiting);
  void rekey_one(Waiting& waiting, Changed what);
  void start(const Sequence& seq, Tenants::value_type& tenant);
  bool is_alive(uint64_t id, uint64_t generation) const;
  auto alive() const {
    return [this](const auto& node) { return is_alive(node.id, node.generation); };
  }
  void bury(Tenant& tenant);
  Waiting take(Sequence& seq);
  Sequence* oldest_starved(TimePoint now);
  int64_t slacks_ahead(const Tenant& tenant) const;

  KeyedSettings settings_;
  std::unordered_map<uint64_t, Waiting> waiting_;
  std::unordered_map<uint64_t, Running> running_;
  Tenants tenants_;
  std::map<Place, Tenants::value_type*> places_;                    // first of each that has any
  std::set<std::pair<double, const Tenants::value_type*>> active_;  // by served
  ByAge by_age_;
  std::vector<uint64_t> skipped_;
  uint64_t generation_ = 0;
  double credit_ = 0;          // admissions that the starved may have now, at most 1
  bool is_lane_held_ = false;  // the oldest one is skipped: nobody else uses its credit
  std::optional<uint64_t> starved_choice_;  // the id that next() gave for its age
};

}  // namespace tern
