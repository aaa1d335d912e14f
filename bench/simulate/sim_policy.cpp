#include "bench/simulate/sim_policy.h"

#include <algorithm>

#include "base/decimal.h"
#include "bench/simulate/peer_policies.h"
#include "scheduler/policy.h"

namespace tern::bench {
namespace {

// No peer bounds how often a sequence gives way.
constexpr int32_t kUnboundedPreemptions = 1'000'000'000;

template <class Names>
std::string join(const Names& names) {
  std::string out;
  for (const auto& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

const PolicyInfo* find_own(std::string_view name) {
  const auto found = std::ranges::find(policies(), name, &PolicyInfo::name);
  return found == policies().end() ? nullptr : &*found;
}

const PeerPolicy* find_peer(std::string_view name) {
  const auto found = std::ranges::find(peer_policies(), name, &PeerPolicy::name);
  return found == peer_policies().end() ? nullptr : &*found;
}

}  // namespace

bool SimPolicy::reads_scores() const {
  const PolicyInfo* own = peer == nullptr ? find_own(config.name) : nullptr;
  return own != nullptr && own->reads_scores;
}

std::vector<std::string> sim_policy_names() {
  std::vector<std::string> out;
  for (const PolicyInfo& policy : policies()) out.emplace_back(policy.name);
  for (const PeerPolicy& peer : peer_policies()) out.emplace_back(peer.name);
  return out;
}

Status set_policy_key(const std::string& name, double value, SimPolicy* policy) {
  const PolicyInfo* own = policy->peer == nullptr ? find_own(policy->config.name) : nullptr;
  std::vector<std::string> known;
  if (own != nullptr)
    for (const PolicyKey* key : own->keys) known.emplace_back(key->name);
  if (std::ranges::find(known, name) == known.end())
    return invalid_argument("policy '" + policy->label + "' has no key '" + name + "'" +
                            (known.empty() ? "" : "; it has " + join(known)));
  policy->config.settings[name] = value;
  return {};
}

bool is_whole_policy_key(std::string_view name) {
  const std::vector<const PolicyKey*> keys = policy_keys();
  const auto found = std::ranges::find(keys, name, &PolicyKey::name);
  return found != keys.end() && (*found)->is_integer;
}

Result<SimPolicy> parse_sim_policy(const std::string& text) {
  size_t end = std::min(text.find(':'), text.size());
  SimPolicy out{.label = text};
  out.config.name = text.substr(0, end);
  out.peer = find_peer(out.config.name);
  if (out.peer == nullptr && find_own(out.config.name) == nullptr)
    return invalid_argument("policy '" + out.config.name + "' is not one of " +
                            join(sim_policy_names()));
  while (end < text.size()) {
    const size_t begin = end + 1;
    end = std::min(text.find(':', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equals = std::min(part.find('='), part.size());
    const auto value = parse_decimal<double>(
        equals < part.size() ? std::string_view(part).substr(equals + 1) : std::string_view());
    if (!value) return invalid_argument("policy '" + text + "': '" + part + "' must be key=number");
    TERN_TRY(set_policy_key(part.substr(0, equals), *value, &out));
  }
  return out;
}

Result<std::unique_ptr<Scheduler>> make_scheduler(const SimPolicy& policy, SchedulerConfig config) {
  if (policy.peer != nullptr) {
    config.max_preemptions = kUnboundedPreemptions;
    return Scheduler::create(config, policy.peer->make(config));
  }
  config.policy = policy.config;
  Result<std::unique_ptr<Scheduler>> scheduler = Scheduler::create(config);
  if (!scheduler.ok()) return scheduler.status().with_context("policy '" + policy.label + "'");
  return scheduler;
}

}  // namespace tern::bench
