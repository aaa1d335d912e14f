// The queue of policies with keys, against one that is sorted anew for every question.
#include "scheduler/policies/keyed_order.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <tuple>

#include "tests/scheduler/sequences.h"

namespace tern {
namespace {

class ByHint final : public KeyedOrder {
 public:
  using KeyedOrder::KeyedOrder;

 protected:
  double key(const Sequence& seq, double) const override { return seq.hinted_output_tokens; }
};

/// The order of service as the header says it, by looking at everything.
class SortedAnew {
 public:
  explicit SortedAnew(const KeyedSettings& settings) : settings_(settings) {}

  struct One {
    Sequence* sequence = nullptr;
    bool is_skipped = false;
  };
  std::map<uint64_t, One> waiting;
  std::map<std::string, double> served;

  Sequence* next(TimePoint now) {
    is_for_age_ = false;
    Sequence* first = nullptr;
    Sequence* oldest = nullptr;
    bool is_oldest_skipped = false;
    for (auto& [id, one] : waiting) {
      Sequence* seq = one.sequence;
      if (oldest == nullptr || age(*seq) < age(*oldest)) {
        oldest = seq;
        is_oldest_skipped = one.is_skipped;
      }
      if (!one.is_skipped && (first == nullptr || rank(*seq) < rank(*first))) first = seq;
    }
    if (first == nullptr || is_oldest_skipped) return first;
    const bool is_starved = now - oldest->arrival > settings_.starve_after;
    is_for_age_ = is_starved && has_credit();
    return is_for_age_ ? oldest : first;
  }

  // Of n admissions at most 1 + n q, minus what was not used while nobody starved, are for age.
  bool has_credit() const { return credit_ >= 1000 && settings_.starve_quota > 0; }

  void admitted(uint64_t id) {
    if (is_for_age_) credit_ -= 1000;
    credit_ = std::min<int64_t>(credit_ + std::llround(1000 * settings_.starve_quota), 1000);
    waiting.erase(id);
  }

 private:
  static std::pair<TimePoint, uint64_t> age(const Sequence& seq) { return {seq.arrival, seq.id}; }
  using Rank = std::tuple<PriorityClass, bool, double, double, TimePoint, uint64_t>;
  Rank rank(const Sequence& seq) const {
    const double hint = seq.hinted_output_tokens;
    const double ahead =
        settings_.tenant_slack > 0 ? std::floor(served.at(seq.tenant) / settings_.tenant_slack) : 0;
    return {seq.priority, seq.num_preemptions == 0,
            ahead,        std::isnan(hint) ? INFINITY : hint,
            seq.arrival,  seq.id};
  }

  const KeyedSettings settings_;
  bool is_for_age_ = false;
  int64_t credit_ = 1000;  // in thousandths
};

// Tenants that never pause, so that nobody is lifted when it returns.
void run(uint32_t seed, int num_operations, const KeyedSettings& settings) {
  ByHint policy(settings);
  SortedAnew sorted(settings);
  std::mt19937 rng(seed);
  const auto draw = [&](uint32_t limit) { return rng() % limit; };
  std::map<uint64_t, std::unique_ptr<Sequence>> all;
  std::map<uint64_t, double> charged;  // of what runs
  int64_t tick = 0;
  uint64_t last_id = 0;
  for (const char* tenant : {"a", "b", "c"}) {  // they are there to the end
    auto seq = sequence(++last_id, tokens(1), 100);
    seq->tenant = tenant;
    seq->hinted_output_tokens = 1e9;
    seq->priority = PriorityClass::kBulk;
    seq->arrival = at(INT64_MAX / 2);
    sorted.served[tenant] = 0;
    sorted.waiting[seq->id] = {seq.get(), false};
    policy.add(*seq, at(0));
    all[seq->id] = std::move(seq);
  }
  const auto random_waiting = [&]() -> Sequence* {
    auto it = sorted.waiting.upper_bound(3 + draw(static_cast<uint32_t>(last_id)));
    return it == sorted.waiting.end() ? nullptr : it->second.sequence;
  };
  for (int i = 0; i < num_operations; ++i) {
    tick += draw(3);
    const uint32_t choice = draw(10);
    if (choice < 3) {
      auto seq = sequence(++last_id, tokens(static_cast<int32_t>(1 + draw(9))), 100);
      seq->arrival = at(tick);
      seq->tenant = std::string(1, static_cast<char>('a' + draw(3)));
      seq->priority = static_cast<PriorityClass>(draw(8) == 0 ? draw(4) : 2);
      seq->num_preemptions = draw(8) == 0;
      seq->hinted_output_tokens = draw(20) == 0 ? kUnknown : draw(30);
      sorted.waiting[seq->id] = {seq.get(), false};
      policy.add(*seq, at(tick));
      all[seq->id] = std::move(seq);
    } else if (choice < 5) {
      if (Sequence* seq = random_waiting()) {
        seq->hinted_output_tokens = draw(20) == 0 ? kUnknown : draw(30);
        policy.rekey(*seq, Changed::kScore);
      }
    } else if (choice == 5) {
      if (Sequence* seq = random_waiting()) {
        policy.remove(*seq);
        sorted.waiting.erase(seq->id);
        all.erase(seq->id);
      }
    } else if (choice == 6 && !charged.empty()) {
      const auto it = charged.upper_bound(draw(static_cast<uint32_t>(last_id)));
      if (it == charged.end()) continue;
      Sequence& seq = *all.at(it->first);
      seq.num_computed_tokens = seq.num_tokens();
      const auto num_output = static_cast<int32_t>(draw(6));
      seq.token_ids.insert(seq.token_ids.end(), num_output, 7);
      const double work =
          num_output + settings.prefill_weight.value() * (seq.num_prompt_tokens - num_output);
      policy.left(seq, Leave::kFinished);
      double& served = sorted.served[seq.tenant];
      served = std::max(served + std::max<double>(work, num_output) - it->second, 0.0);
      all.erase(it->first);
      charged.erase(it);
    } else {
      std::vector<Sequence*> skipped;
      while (true) {
        Sequence* next = policy.next(at(tick));
        Sequence* expected = sorted.next(at(tick));
        if (next != expected)
          FAIL("seed " << seed << ", operation " << i << ": " << (next ? next->id : 0)
                       << " in place of " << (expected ? expected->id : 0));
        if (next == nullptr) break;
        if (draw(3) == 0) {
          policy.skip(*next);
          sorted.waiting.at(next->id).is_skipped = true;
          continue;
        }
        if (next->id <= 3) break;
        policy.admit(*next);
        sorted.admitted(next->id);
        charged[next->id] = settings.prefill_weight.value() * next->num_tokens();
        double& served = sorted.served[next->tenant];
        served = std::max(served + charged[next->id], 0.0);
        break;
      }
      policy.restore();
      for (auto& [id, one] : sorted.waiting) one.is_skipped = false;
    }
    // Every waiting one has a node in two heaps; at most as many are dead, beside some small
    // change.
    REQUIRE(policy.heap_size() <= 4 * sorted.waiting.size() + 4 * 64);
  }
}

TEST_CASE("a queue by keys survives a hundred thousand random calls", "[policy][property]") {
  run(1, 100'000,
      {.starve_after = Duration(50), .starve_quota = 0.125, .prefill_weight = PrefillWeight(0.5)});
}

TEST_CASE("a queue by keys is right in many settings", "[policy][property]") {
  uint32_t seed = 2;
  for (const double quota : {0.0, 0.25, 1.0})
    for (const double slack : {0.0, 1.0, 16.0})
      for (const int64_t starve : {0, 20, 100000})
        run(++seed, 3000,
            {.starve_after = Duration(starve),
             .starve_quota = quota,
             .bypass_window = 8,
             .tenant_slack = slack,
             .prefill_weight = PrefillWeight(0.5)});
}

TEST_CASE("a tenth of the admissions is for the starved, whatever the keys", "[policy][EC-61]") {
  ByHint policy({.starve_after = Duration(10), .starve_quota = 0.1});
  std::vector<std::unique_ptr<Sequence>> all;
  for (uint64_t id = 1; id <= 400; ++id) {
    all.push_back(sequence(id, tokens(1), 100));
    all.back()->hinted_output_tokens =
        1000.0 - static_cast<double>(id);  // the oldest is the longest
    policy.add(*all.back(), at(0));
  }
  std::vector<size_t> for_age;
  for (size_t n = 0; n < 200; ++n) {
    Sequence* next = policy.next(at(10000));
    if (next->id <= 100) {
      CHECK(next->id == for_age.size() + 1);
      for_age.push_back(n);
    }
    policy.admit(*next);
  }
  REQUIRE(for_age.size() == 20);
  CHECK(for_age.front() == 0);
  for (size_t i = 1; i < for_age.size(); ++i) CHECK(for_age[i] - for_age[i - 1] == 10);
}

TEST_CASE("whoever waits behind k older ones starves no longer than the quota lets it",
          "[policy][EC-61]") {
  // New short requests come with each admission; the long one is served all the same.
  for (const double quota : {1.0, 0.5, 0.1}) {
    ByHint policy({.starve_after = Duration(100), .starve_quota = quota});
    std::vector<std::unique_ptr<Sequence>> all;
    const auto add = [&](int64_t now, double hint) {
      all.push_back(sequence(all.size() + 1, tokens(1), 100));
      all.back()->arrival = at(now);
      all.back()->hinted_output_tokens = hint;
      policy.add(*all.back(), at(now));
    };
    constexpr int kOlder = 7;
    for (int i = 0; i <= kOlder; ++i) add(0, 1e6);
    int64_t served_at = -1;
    for (int64_t now = 1; served_at < 0 && now < 2000; ++now) {  // one admission a tick
      add(now, 1);
      Sequence* next = policy.next(at(now));
      policy.admit(*next);
      if (next->id == kOlder + 1) served_at = now;
    }
    CAPTURE(quota);
    REQUIRE(served_at > 100);
    CHECK(served_at <= 100 + std::ceil((kOlder + 1) / quota) + 1);
  }
}

TEST_CASE("equal keys are served as they came", "[policy]") {
  for (const char* name : {"pars", "sjf_prompt", "lpm", "oracle", "hrrn"}) {
    SchedulerConfig config;
    config.policy.name = name;
    const auto policy = *make_policy(config);
    std::vector<std::unique_ptr<Sequence>> all;
    for (const uint64_t id : {5, 2, 4, 1, 3}) {
      all.push_back(sequence(id, tokens(3), 50));
      policy->add(*all.back(), at(0));
    }
    CAPTURE(name);
    for (uint64_t id = 1; id <= 5; ++id) {
      Sequence* next = policy->next(at(9));
      CHECK(next->id == id);
      policy->admit(*next);
    }
  }
}

TEST_CASE("a tenant with one request does not wait behind a thousand of another", "[policy]") {
  ByHint policy({.tenant_slack = 10, .prefill_weight = PrefillWeight(1)});
  std::vector<std::unique_ptr<Sequence>> all;
  for (uint64_t id = 1; id <= 1000; ++id) {
    all.push_back(sequence(id, tokens(5), 100));
    all.back()->tenant = "crowd";
    all.back()->hinted_output_tokens = 1;
    policy.add(*all.back(), at(0));
  }
  for (int i = 0; i < 100; ++i) policy.admit(*policy.next(at(0)));
  all.push_back(sequence(2000, tokens(5), 100));
  all.back()->tenant = "single";
  all.back()->hinted_output_tokens = 1e6;
  policy.add(*all.back(), at(0));
  int num_before = 0;
  while (policy.next(at(0))->id != 2000 && ++num_before < 900) policy.admit(*policy.next(at(0)));
  CHECK(num_before <= 3);  // what fits into one slack
}

}  // namespace
}  // namespace tern
