#include "bench/simulate/sim_policy.h"

#include <algorithm>

#include "base/decimal.h"
#include "scheduler/policy.h"

namespace tern::bench {
namespace {

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

}  // namespace

std::vector<std::string> sim_policy_names() {
  std::vector<std::string> out;
  for (const PolicyInfo& policy : policies()) out.emplace_back(policy.name);
  return out;
}

Status set_policy_key(const std::string& name, double value, SimPolicy* policy) {
  const PolicyInfo* own = policy->peer == nullptr ? find_own(policy->config.name) : nullptr;
  std::vector<std::string> known;
  if (own != nullptr)
    for (const PolicyKey& key : own->keys) known.emplace_back(key.name);
  if (std::ranges::find(known, name) == known.end())
    return invalid_argument("policy '" + policy->label + "' has no key '" + name + "'" +
                            (known.empty() ? "" : "; it has " + join(known)));
  using Value = decltype(PolicyConfig::settings)::mapped_type;
  policy->config.settings[name] = static_cast<Value>(value);
  return {};
}

bool is_whole_policy_key(std::string_view name) {
  (void)name;
  return true;
}

Result<SimPolicy> parse_sim_policy(const std::string& text) {
  size_t end = std::min(text.find(':'), text.size());
  SimPolicy out{.label = text};
  out.config.name = text.substr(0, end);
  if (find_own(out.config.name) == nullptr)
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
  config.policy = policy.config;
  Result<std::unique_ptr<Scheduler>> scheduler = Scheduler::create(config);
  if (!scheduler.ok()) return scheduler.status().with_context("policy '" + policy.label + "'");
  return scheduler;
}

}  // namespace tern::bench
