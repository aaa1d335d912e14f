#include "scheduler/policy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace tern {

using Keys = std::span<const PolicyKey* const>;
using Made = Result<std::unique_ptr<Policy>>;

Made make_fcfs(const SchedulerConfig& config);
Keys keyed_keys();
Made make_priority(const SchedulerConfig& config);
Keys priority_keys();
Made make_pars(const SchedulerConfig& config);
Keys pars_keys();
Made make_sjf_prompt(const SchedulerConfig& config);
Made make_hrrn(const SchedulerConfig& config);
Keys hrrn_keys();
Made make_lpm(const SchedulerConfig& config);
Made make_oracle(const SchedulerConfig& config);

namespace {

std::string join(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

bool has_key(const PolicyInfo& policy, std::string_view name) {
  return std::ranges::count(policy.keys, name, &PolicyKey::name) > 0;
}

// Writes a value as people do: 0.1, 120.
std::string print(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

Status check_setting(const PolicyInfo& chosen, const std::string& name, double value) {
  const std::vector<const PolicyKey*> keys = policy_keys();
  const auto found = std::ranges::find(keys, name, &PolicyKey::name);
  if (found == keys.end()) return invalid_argument("policy: no policy has a key '" + name + "'");
  const PolicyKey& key = **found;
  const bool is_in_range = value >= key.lowest && value <= key.highest;
  if (!is_in_range && value != key.besides)
    return wrong_setting(
        name, name + ": must be in [" + print(key.lowest) + ", " + print(key.highest) + "]" +
                  (key.besides ? " or " + print(*key.besides) : "") + ", is " + print(value));
  if (key.is_integer && value != std::floor(value))
    return wrong_setting(name, name + ": must be a whole number, is " + print(value));
  if (has_key(chosen, name) || value == key.fallback) return {};
  std::vector<std::string_view> owners;
  for (const PolicyInfo& policy : policies())
    if (has_key(policy, name)) owners.push_back(policy.name);
  return wrong_setting(
      name, name + ": needs policy " + join(owners) + ", is '" + std::string(chosen.name) + "'");
}

}  // namespace

Status wrong_setting(std::string_view name, const std::string& why) {
  const std::string path = "policy." + std::string(name);
  return {Code::kInvalidArgument, why, {.reason = "", .metadata = {{"key", path}}}};
}

double PolicyKey::value(const PolicyConfig& config) const {
  const auto found = config.settings.find(name);
  return found == config.settings.end() ? fallback : found->second;
}

int32_t PolicyKey::integer(const PolicyConfig& config) const {
  return static_cast<int32_t>(value(config));
}

std::span<const PolicyInfo> policies() {
  static const PolicyInfo table[] = {
      {"fcfs", {}, make_fcfs},
      {"priority", priority_keys(), make_priority},
      {"pars", pars_keys(), make_pars, true},
      {"sjf_prompt", keyed_keys(), make_sjf_prompt},
      {"hrrn", hrrn_keys(), make_hrrn, true},
      {"lpm", keyed_keys(), make_lpm},
      {"oracle", keyed_keys(), make_oracle},
  };
  return table;
}

std::vector<const PolicyKey*> policy_keys() {
  std::vector<const PolicyKey*> all;
  for (const PolicyInfo& policy : policies())
    for (const PolicyKey* key : policy.keys)
      if (std::ranges::find(all, key) == all.end()) all.push_back(key);
  return all;
}

Result<std::unique_ptr<Policy>> make_policy(const SchedulerConfig& config) {
  const auto chosen = std::ranges::find(policies(), config.policy.name, &PolicyInfo::name);
  if (chosen == policies().end()) {
    std::vector<std::string_view> names;
    for (const PolicyInfo& policy : policies()) names.push_back(policy.name);
    return invalid_argument("policy.name: '" + config.policy.name + "' is not one of " +
                            join(names));
  }
  for (const auto& [name, value] : config.policy.settings)
    TERN_TRY(check_setting(*chosen, name, value));
  return chosen->make(config);
}

}  // namespace tern
