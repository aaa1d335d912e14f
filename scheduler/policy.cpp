#include "scheduler/policy.h"

#include <algorithm>
#include <string>

namespace tern {

Result<std::unique_ptr<Policy>> make_fcfs(const SchedulerConfig& config);
Result<std::unique_ptr<Policy>> make_priority(const SchedulerConfig& config);
std::span<const PolicyKey> priority_keys();

namespace {

template <class Range>
std::string join(const Range& named) {
  std::string out;
  for (const auto& item : named) out += (out.empty() ? "" : ", ") + std::string(item.name);
  return out;
}

Status check_setting(const PolicyInfo& chosen, const std::string& name, int32_t value) {
  for (const PolicyInfo& policy : policies()) {
    const auto key = std::ranges::find(policy.keys, name, &PolicyKey::name);
    if (key == policy.keys.end()) continue;
    if (value < key->lowest || value > key->highest)
      return wrong_setting(name, name + ": must be in [" + std::to_string(key->lowest) + ", " +
                                     std::to_string(key->highest) + "], is " +
                                     std::to_string(value));
    if (policy.name == chosen.name || value == key->fallback) return {};
    return wrong_setting(name, join(policy.keys) + ": need policy '" + std::string(policy.name) +
                                   "', is '" + std::string(chosen.name) + "'");
  }
  return invalid_argument("policy: no policy has a key '" + name + "'");
}

}  // namespace

Status wrong_setting(std::string_view name, const std::string& why) {
  const std::string path = "policy." + std::string(name);
  return {Code::kInvalidArgument, why, {.reason = "", .metadata = {{"key", path}}}};
}

int32_t PolicyKey::value(const PolicyConfig& config) const {
  const auto found = config.settings.find(name);
  return found == config.settings.end() ? fallback : found->second;
}

std::span<const PolicyInfo> policies() {
  static const PolicyInfo table[] = {
      {"fcfs", {}, make_fcfs},
      {"priority", priority_keys(), make_priority},
  };
  return table;
}

Result<std::unique_ptr<Policy>> make_policy(const SchedulerConfig& config) {
  const auto chosen = std::ranges::find(policies(), config.policy.name, &PolicyInfo::name);
  if (chosen == policies().end())
    return invalid_argument("policy.name: '" + config.policy.name + "' is not one of " +
                            join(policies()));
  for (const auto& [name, value] : config.policy.settings)
    TERN_TRY(check_setting(*chosen, name, value));
  return chosen->make(config);
}

}  // namespace tern
