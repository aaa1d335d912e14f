#include "scheduler/policies/keyed_order.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tern {

const PolicyKey kStarveKey{
    .name = "starve_s",
    .doc =
        "pars, sjf_prompt, lpm, oracle: a request that has waited for so many seconds is starved.",
    .lowest = 0,
    .highest = 86400,
    .fallback = 120,
    .is_integer = false};
const PolicyKey kStarveQuotaKey{
    .name = "starve_quota",
    .doc =
        "pars, sjf_prompt, lpm, oracle: of the admissions, the share that goes to the oldest "
        "starved request; 1: all, which is FCFS in sustained overload.",
    .lowest = 0,
    .highest = 1,
    .fallback = 0.1,
    .is_integer = false};
const PolicyKey kBypassWindowKey{
    .name = "kv_bypass_window",
    .doc =
        "All but fcfs and priority: so many requests that lack KV blocks may be passed over in a "
        "step by others that fit beside them.",
    .lowest = 0,
    .highest = 1024,
    .fallback = 8};
const PolicyKey kTenantSlackKey{
    .name = "tenant_slack",
    .doc =
        "pars, sjf_prompt, lpm, oracle: work, in output tokens, by which one tenant may be ahead "
        "of "
        "another before the other's requests go first; 0: tenants are not told apart.",
    .lowest = 0,
    .highest = 1e9,
    .fallback = 8192,
    .is_integer = false};
const PolicyKey kPrefillWeightKey{
    .name = "prefill_weight",
    .doc =
        "All but fcfs and priority: what a prompt token that is not cached costs, in output "
        "tokens; -1: what the steps show.",
    .lowest = 0,
    .highest = 100,
    .fallback = -1,
    .is_integer = false,
    .besides = -1};

namespace {
constexpr size_t kMostIdleTenants = 4096;

double or_last(double key) {
  return std::isnan(key) ? std::numeric_limits<double>::infinity() : key;
}
}  // namespace

std::span<const PolicyKey* const> keyed_keys() {
  static constexpr const PolicyKey* kKeys[] = {&kStarveKey, &kStarveQuotaKey, &kBypassWindowKey,
                                               &kTenantSlackKey, &kPrefillWeightKey};
  return kKeys;
}

KeyedSettings KeyedSettings::read(const PolicyConfig& config) {
  return {.starve_after = std::chrono::duration_cast<Duration>(Seconds(kStarveKey.value(config))),
          .starve_quota = kStarveQuotaKey.value(config),
          .bypass_window = kBypassWindowKey.integer(config),
          .tenant_slack = kTenantSlackKey.value(config),
          .prefill_weight = PrefillWeight(config)};
}

KeyedOrder::KeyedOrder(const KeyedSettings& settings)
    : settings_(settings), credit_(settings.starve_quota > 0 ? 1 : 0) {}

double KeyedOrder::cost(const Sequence& seq) const {
  return settings_.prefill_weight.cost(seq);
}

void KeyedOrder::add(Sequence& seq, TimePoint) {
  if (seq.num_preemptions == 0) arrived(seq);
  Tenants::value_type& tenant = tenant_of(seq);
  ++tenant.second.num_waiting;
  Waiting& waiting = waiting_[seq.id];
  waiting = {.sequence = &seq, .tenant = &tenant, .expected = expect(seq)};
  push(waiting);
  place(tenant);
}

// Puts it into both heaps by what its key is now.
void KeyedOrder::push(Waiting& waiting) {
  Sequence& seq = *waiting.sequence;
  seq.order_key = or_last(key(seq, waiting.expected));
  waiting.generation = ++generation_;
  const bool is_new = seq.num_preemptions == 0;
  waiting.tenant->second.heap.push(
      {static_cast<uint8_t>(seq.priority), is_new, seq.order_key, seq.arrival, seq.id}, seq.id,
      waiting.generation);
  by_age_.push({seq.arrival, seq.id}, seq.id, waiting.generation);
}

bool KeyedOrder::is_alive(uint64_t id, uint64_t generation) const {
  const auto found = waiting_.find(id);
  return found != waiting_.end() && found->second.generation == generation &&
         !found->second.is_skipped;
}

// One node of each heap has died.
void KeyedOrder::bury(Tenant& tenant) {
  tenant.heap.bury(alive());
  by_age_.bury(alive());
}

// The tenant's first has changed, or how far it is ahead.
void KeyedOrder::place(Tenants::value_type& tenant) {
  Tenant& own = tenant.second;
  const ByKey::Node* first = own.heap.top(alive());
  std::optional<Place> next;
  if (first != nullptr) {
    const auto& [priority, is_new, key, arrival, id] = first->key;
    next = Place(priority, is_new, slacks_ahead(own), key, arrival, id);
  }
  if (next == own.place) return;
  if (own.place) places_.erase(*own.place);
  if (next) places_.emplace(*next, &tenant);
  own.place = next;
}

int64_t KeyedOrder::slacks_ahead(const Tenant& tenant) const {
  if (settings_.tenant_slack <= 0) return 0;
  return static_cast<int64_t>(tenant.served / settings_.tenant_slack);
}

// Whoever comes back after having had nothing to do is not owed the time that it was away: it
// begins at the level of the one that is furthest behind (as in Sheng et al., "Fairness in Serving
// Large Language Models", 2024, algorithm 2).
KeyedOrder::Tenants::value_type& KeyedOrder::tenant_of(const Sequence& seq) {
  if (tenants_.size() > kMostIdleTenants + active_.size()) retire_tenants();
  Tenants::value_type& tenant =
      *tenants_.try_emplace(settings_.tenant_slack > 0 ? seq.tenant : std::string()).first;
  Tenant& own = tenant.second;
  if (own.is_active()) return tenant;
  if (!active_.empty()) own.served = std::max(own.served, active_.begin()->first);
  active_.emplace(own.served, &tenant);
  return tenant;
}

void KeyedOrder::retire_tenants() {
  std::erase_if(tenants_, [](const auto& tenant) { return !tenant.second.is_active(); });
}

void KeyedOrder::charge(Tenants::value_type& tenant, double work) {
  Tenant& own = tenant.second;
  active_.erase({own.served, &tenant});
  own.served = std::max(own.served + work, 0.0);
  if (own.is_active()) active_.emplace(own.served, &tenant);
  place(tenant);
}

Sequence* KeyedOrder::oldest_starved(TimePoint now) {
  constexpr double kWhole = 1 - 1e-9;  // ten times 0.1 is a little less than 1
  if (credit_ < kWhole || is_lane_held_) return nullptr;
  const ByAge::Node* oldest = by_age_.top(alive());
  if (oldest == nullptr || now - oldest->key.first <= settings_.starve_after) return nullptr;
  return waiting_.at(oldest->id).sequence;
}

Sequence* KeyedOrder::next(TimePoint now) {
  Sequence* starved = oldest_starved(now);
  starved_choice_ = starved == nullptr ? std::nullopt : std::optional(starved->id);
  if (starved != nullptr) return starved;
  if (places_.empty()) return nullptr;
  return waiting_.at(std::get<uint64_t>(places_.begin()->first)).sequence;
}

KeyedOrder::Waiting KeyedOrder::take(Sequence& seq) {
  const auto found = waiting_.find(seq.id);
  TERN_CHECK(found != waiting_.end(), "the policy does not hold this sequence");
  const Waiting waiting = found->second;
  waiting_.erase(found);
  --waiting.tenant->second.num_waiting;
  if (!waiting.is_skipped) bury(waiting.tenant->second);
  place(*waiting.tenant);
  return waiting;
}

void KeyedOrder::admit(Sequence& seq) {
  const Waiting waiting = take(seq);
  if (starved_choice_ == seq.id) credit_ -= 1;
  credit_ = std::min(credit_ + settings_.starve_quota, 1.0);
  starved_choice_.reset();
  start(seq, *waiting.tenant);
}

// Its tenant pays what it is thought to cost, so that a burst of one tenant does not fill the batch
// before anything of it is served. left() corrects that.
void KeyedOrder::start(const Sequence& seq, Tenants::value_type& tenant) {
  ++tenant.second.num_running;
  const double work = cost(seq);
  running_[seq.id] = {&tenant, work, seq.num_computed_tokens, seq.num_output_tokens()};
  charge(tenant, work);
}

void KeyedOrder::adopt(Sequence& seq) {
  seq.order_key = or_last(key(seq, expect(seq)));
  start(seq, tenant_of(seq));
}

void KeyedOrder::left(const Sequence& seq, Leave) {
  const auto found = running_.find(seq.id);
  TERN_CHECK(found != running_.end(), "the policy does not know that this sequence runs");
  const Running running = found->second;
  running_.erase(found);
  const int32_t num_output = seq.num_output_tokens() - running.num_output_tokens;
  const int32_t num_prefilled =
      std::max(seq.num_computed_tokens - running.num_computed_tokens - num_output, 0);
  --running.tenant->second.num_running;
  charge(*running.tenant,
         num_output + settings_.prefill_weight.value() * num_prefilled - running.charged);
}

void KeyedOrder::remove(Sequence& seq) {
  const Waiting waiting = take(seq);
  charge(*waiting.tenant, 0);
}

bool KeyedOrder::before(const Sequence& a, const Sequence& b) const {
  const auto rank = [](const Sequence& seq) {
    return std::tuple(seq.priority, seq.order_key, seq.arrival, seq.id);
  };
  return rank(a) < rank(b);
}

void KeyedOrder::skip(Sequence& seq) {
  Waiting& waiting = waiting_.at(seq.id);
  const ByAge::Node* oldest = by_age_.top(alive());
  is_lane_held_ |= oldest != nullptr && oldest->id == seq.id;
  waiting.is_skipped = true;
  skipped_.push_back(seq.id);
  bury(waiting.tenant->second);
  place(*waiting.tenant);
}

void KeyedOrder::restore() {
  for (const uint64_t id : skipped_) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) continue;
    found->second.is_skipped = false;
    push(found->second);
    place(*found->second.tenant);
  }
  skipped_.clear();
  is_lane_held_ = false;
}

void KeyedOrder::rekey(Sequence& seq, Changed what) {
  rekey_one(waiting_.at(seq.id), what);
}

void KeyedOrder::rekey_one(Waiting& waiting, Changed what) {
  if (what == Changed::kScore) waiting.expected = expect(*waiting.sequence);
  if (waiting.is_skipped) return;  // restore() asks for its key again
  push(waiting);                   // with a new generation, so the old nodes are dead
  bury(waiting.tenant->second);
  place(*waiting.tenant);
}

void KeyedOrder::rescore_all() {
  for (auto& [id, waiting] : waiting_) rekey_one(waiting, Changed::kScore);
}

void KeyedOrder::inherit(const Policy& previous) {
  const auto* other = dynamic_cast<const KeyedOrder*>(&previous);
  if (other == nullptr || settings_.tenant_slack <= 0) return;
  for (const auto& [name, tenant] : other->tenants_) tenants_[name].served = tenant.served;
}

size_t KeyedOrder::heap_size() const {
  size_t sum = by_age_.size();
  for (const auto& [name, tenant] : tenants_) sum += tenant.heap.size();
  return sum;
}

}  // namespace tern
